package logs

import (
	"strconv"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/logline"
)

const (
	wantStamp = "a time as 02/Jan/2006:15:04:05 -0700, RFC 3339, or seconds since 1970"
)

// stamps reads times. A log has many of one minute, so it keeps the last.
type stamps struct {
	minute string // of a stamp in the Common Log Format, all but the seconds,
	zone   string // and what follows them
	at     time.Time
}

// clf reads a time of the Common Log Format.
func (s *stamps) clf(text string) (time.Time, bool) {
	if len(text) != len(logline.Stamp) {
		return time.Time{}, false
	}
	seconds := int(text[18]-'0')*10 + int(text[19]-'0')
	if text[18] > '5' || text[18] < '0' || text[19] > '9' || text[19] < '0' {
		return time.Time{}, false
	}
	if text[:18] != s.minute || text[20:] != s.zone {
		at, err := time.Parse(logline.Stamp, text[:18]+"00"+text[20:])
		if err != nil {
			return time.Time{}, false
		}
		s.minute, s.zone, s.at = strings.Clone(text[:18]), strings.Clone(text[20:]), at.UTC()
	}
	return s.at.Add(time.Duration(seconds) * time.Second), true
}

var layouts = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 Z07:00",
	"2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05.999999999 -0700 MST",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006/01/02 15:04:05.999999999",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	// Of names of zones, these two only: what others mean depends on the zone of this machine.
	"Mon, 02 Jan 2006 15:04:05 GMT", "Mon, 02 Jan 2006 15:04:05 UTC", "Mon Jan _2 15:04:05 2006",
}

// any reads a time of any form.
func (s *stamps) any(text string) (time.Time, bool) {
	text = strings.Trim(text, "[] ")
	if at, ok := s.clf(text); ok {
		return at, true
	}
	if text == "" {
		return time.Time{}, false
	}
	if strings.Trim(text, "0123456789.") == "" {
		return epoch(text)
	}
	if strings.ContainsAny(text, "eE") {
		if f, err := strconv.ParseFloat(text, 64); err == nil && f >= 0 && f < 1e18 {
			return epoch(strconv.FormatFloat(f, 'f', 6, 64))
		}
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// ParseTime reads a time as [Read] does.
func ParseTime(text string) (time.Time, error) {
	var s stamps
	at, ok := s.any(text)
	if !ok {
		return at, &ratelimit.ArgumentError{Func: "logs.ParseTime", Field: "time", Value: text, Want: wantStamp}
	}
	return at, nil
}

// epoch reads a number of seconds, ms, µs or ns since 1970, exactly.
func epoch(text string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.Contains(fraction, ".") {
		return time.Time{}, false
	}
	unit := int64(time.Second)
	for _, limit := range []int64{1e11, 1e14, 1e17} { // 1e11 s is in the year 5138, 1e11 ms in 1973
		if n >= limit {
			unit /= 1000
		}
	}
	var part int64
	for scale := unit / 10; scale > 0 && fraction != ""; scale /= 10 {
		part += int64(fraction[0]-'0') * scale
		fraction = fraction[1:]
	}
	perSecond := int64(time.Second) / unit
	return time.Unix(n/perSecond, n%perSecond*unit+part).UTC(), true
}

// The times that are taken: those before stand for none, as 1970 and year 1, and so does 9999.
var (
	earliest = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)
	end      = time.Date(2201, 1, 1, 0, 0, 0, 0, time.UTC)
)

// stamp sets the time of a record, or returns what is wrong with it.
func (r *Record) stamp(at time.Time, ok bool, text string) *LineError {
	switch {
	case text == "" || text == "-":
		return fault("there is no time", text, wantStamp)
	case !ok:
		return fault("the time cannot be read", text, wantStamp)
	case at.Before(earliest) || !at.Before(end):
		return fault("the time is of the year "+strconv.Itoa(at.Year())+", which stands for none", text, "one from 1971 to 2200")
	}
	r.At = at
	return nil
}
