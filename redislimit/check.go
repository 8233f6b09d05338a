package redislimit

import (
	"context"
	"errors"
	"strings"
)

// What [Store.Check] warns of.
var (
	// ErrEvicts reports that the engine may evict keys when its memory is full: what they have
	// consumed is forgotten, and granted again.
	ErrEvicts = errors.New("redislimit: the engine evicts keys when memory is full, and grants again what they have consumed: set maxmemory-policy to noeviction")

	// ErrForgets reports that the engine keeps no append-only file: after a crash it grants again
	// what was consumed before.
	ErrForgets = errors.New("redislimit: the engine forgets all when it crashes, and grants again what was consumed: set appendonly to yes")
)

// Check asks the engine for a decision that charges nothing, and looks at its settings. It returns
// an error if the engine cannot be asked; [ErrEvicts] and [ErrForgets], joined, if a limit could be
// exceeded; and nil if it could not, but for what docs/redis.md says of a failover. Call it when a
// program starts. It does not know how often the engine writes its file to the disk.
func (s *Store) Check(ctx context.Context) error {
	if _, err := s.Peek(ctx, "", 0); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	texts, err := s.engine.Info(ctx)
	if err != nil {
		return s.fail("", err)
	}
	var evicts, forgets error
	for _, text := range texts {
		if value(text, "maxmemory_policy") != "noeviction" && value(text, "maxmemory") != "0" {
			evicts = ErrEvicts
		}
		if value(text, "aof_enabled") != "1" {
			forgets = ErrForgets
		}
	}
	return errors.Join(evicts, forgets)
}

// value returns the value of a name in the text of INFO.
func value(info, name string) string {
	_, rest, _ := strings.Cut("\n"+info, "\n"+name+":")
	found, _, _ := strings.Cut(rest, "\r\n")
	return found
}
