package main

import (
	"os"
	"path/filepath"

	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/chart"
)

// plot draws pictures into a folder.
func plot(folder string, pictures []chart.Picture) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	for _, p := range pictures {
		path := filepath.Join(folder, p.Name)
		if err := os.WriteFile(path+".svg", []byte(p.SVG()), 0o666); err != nil {
			return err
		}
		file, err := os.Create(path + ".png")
		if err != nil {
			return err
		}
		if err = p.PNG(file); err != nil {
			_ = file.Close()
			return err
		}
		if err = file.Close(); err != nil {
			return err
		}
	}
	return nil
}
