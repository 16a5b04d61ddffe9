package handlers

import (
	"errors"
	"fmt"
	"os"
)

// noRoom logs why an upload cannot be kept on the disk, and returns what its
// client is told.
func (s *Server) noRoom(cause error) error {
	s.Log.Error("no room for uploads", "error", cause.Error())
	return fmt.Errorf("handlers: %w: try again later, or send a smaller one", errNoRoom)
}

// checkRoom reports whether an upload could be kept on the disk now, by keeping
// a small file there for a moment.
func (s *Server) checkRoom() error {
	f, err := os.CreateTemp(s.TempDir, "segd-ready-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 64<<10))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}
