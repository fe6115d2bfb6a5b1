package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// CheckFolder makes a folder, if there is none, and checks that a file can be written into it.
func CheckFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// WriteFiles writes report.json and junit.xml into a folder, which it makes if there is none.
func (r Report) WriteFiles(dir string) error {
	for name, write := range map[string]func(io.Writer) error{"report.json": r.WriteJSON, "junit.xml": r.WriteJUnit} {
		if err := writeFile(filepath.Join(dir, name), write); err != nil {
			return err
		}
	}
	return nil
}

// WriteJUnitFile writes several reports as one JUnit file. It makes the folder if there is none.
func WriteJUnitFile(path string, reports []Report) error {
	return writeFile(path, func(w io.Writer) error { return WriteJUnit(w, reports) })
}

func writeFile(path string, write func(io.Writer) error) error {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		var f *os.File
		if f, err = os.Create(path); err == nil {
			err = errors.Join(write(f), f.Close())
		}
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
