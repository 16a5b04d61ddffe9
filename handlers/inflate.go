package handlers

import (
	"errors"

	"segd"
	"segd/internal/gunzip"
	"segd/internal/scanio"
)

// inflate makes what gzip files hold the files of the upload, where Read would unpack
// them. Their bytes lie on the disk and count as those of requests there.
func (s *Server) inflate(u *upload) (_ *upload, err error) {
	files := []*[]byte{&u.bytes}
	for _, list := range [][][]byte{u.channels, u.slices} {
		for k := range list {
			if k > 0 { // the first is u.bytes
				files = append(files, &list[k])
			}
		}
	}
	p := &pile{server: s, room: inMemory}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close(), u.Close())
		}
	}()
	var packed []*[]byte
	for _, f := range files {
		if !scanio.Packed(*f) {
			continue
		}
		n, err := gunzip.Size(*f, segd.MaxFile)
		if err != nil {
			return nil, err
		}
		if err := p.reserve(n); err != nil {
			return nil, err
		}
		z, err := gunzip.NewReader(*f)
		if err != nil {
			return nil, err
		}
		p.kept = append(p.kept, kept{})
		if err := p.add(z); err != nil {
			return nil, err
		}
		packed = append(packed, f)
	}
	if len(packed) == 0 {
		return u, nil
	}
	list, err := p.files()
	if err != nil {
		return nil, err
	}
	for i, f := range packed {
		*f = list[i].b
	}
	for _, same := range [][][]byte{u.channels, u.slices} {
		if len(same) > 0 {
			same[0] = u.bytes
		}
	}
	u.closeToo(p)
	return u, nil
}
