package handlers

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"segd"
	"segd/internal/archive"
	"segd/internal/engine"
	"segd/internal/scanio"
)

// channelPrefix begins the names of the parts of a form that are the channels of an
// image, file_0000, file_0001 and so on.
const channelPrefix = "file_"

// channelPart is one of them.
type channelPart struct {
	number int
	*upload
}

// isChannel reports whether a part of a form is named as a channel, or tries to be.
func isChannel(name string) bool { return strings.HasPrefix(name, channelPrefix) }

func channelName(number int) string { return fmt.Sprintf("%s%04d", channelPrefix, number) }

// readChannel spools a part that is named as a channel.
func (s *Server) readChannel(parts []channelPart, name string, r io.Reader) ([]channelPart, error) {
	_, number, ok := scanio.ChannelOf(name)
	switch {
	case !ok || name != channelName(number):
		return parts, fmt.Errorf("handlers: %w: a part named %.40q, want %s, %s and so on for the channels of an image", segd.ErrOption, name, channelName(0), channelName(1))
	case slices.ContainsFunc(parts, func(p channelPart) bool { return p.number == number }):
		return parts, fmt.Errorf("handlers: %w: the part %s comes twice", segd.ErrUnprocessable, name)
	}
	u, err := s.spool(r)
	if err == nil && archive.Is(u.bytes) {
		err = errors.Join(fmt.Errorf("handlers: %w: an archive: want an image", segd.ErrUnsupported), u.Close())
	}
	if err != nil {
		return parts, fmt.Errorf("part %s: %w", name, err)
	}
	return append(parts, channelPart{number, u}), nil
}

// joinUploads makes one upload of the channels of an image, whose numbers must be
// 0 and on. Its bytes are those of the first.
func joinUploads(parts []channelPart, options url.Values) (*upload, error) {
	slices.SortFunc(parts, func(a, b channelPart) int { return a.number - b.number })
	var numbers []int
	for _, p := range parts {
		numbers = append(numbers, p.number)
	}
	if err := scanio.CheckChannels(numbers, 0, channelName); err != nil {
		return nil, err
	}
	u := &upload{bytes: parts[0].bytes, options: options, close: func() error { return closeChannels(parts) }}
	for _, p := range parts {
		u.channels = append(u.channels, p.bytes)
	}
	return u, nil
}

func closeChannels(parts []channelPart) (err error) {
	for _, p := range parts {
		err = errors.Join(err, p.Close())
	}
	return err
}

// source is what was sent: a file, the channels of an image, or the slices of a series.
func (u *upload) source() *engine.Source {
	if len(u.slices) > 0 {
		s := &engine.Source{Slices: true, Notes: u.notes}
		for k, b := range u.slices {
			f := engine.Bytes("file", b)
			f.Number = u.numbers[k]
			s.Files = append(s.Files, f)
		}
		return s
	}
	if len(u.channels) < 2 {
		f := engine.Bytes("file", u.bytes)
		f.Beside = u.beside()
		return &engine.Source{Files: []engine.File{f}, Notes: u.notes}
	}
	s := &engine.Source{}
	for k, b := range u.channels {
		s.Files = append(s.Files, engine.Bytes(channelName(k), b))
	}
	return s
}
