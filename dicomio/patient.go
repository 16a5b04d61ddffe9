package dicomio

import (
	"fmt"
	"slices"
	"strings"

	"github.com/suyashkumar/dicom/pkg/charset"

	"segd/dicomio/tag"
)

// Attribute is one attribute of a patient or study, for a person to read.
type Attribute struct {
	Tag   string `json:"tag"`  // (gggg,eeee)
	Name  string `json:"name"` // its keyword in PS3.6
	Value string `json:"value"`
}

// Patient returns what the DICOM file b says of its patient and study, in the
// order of tags: the attributes that objects copy, but sequences and what is
// empty. It is the one function that hands out patient data, and is for a user
// who asks for just that. Values are in UTF-8, with question marks where the
// file's character set is not understood. Errors are those of Read on a file's
// structure; pixels are not looked at.
func Patient(b []byte) ([]Attribute, error) {
	f, err := open(b)
	if err != nil {
		return nil, err
	}
	d, err := f.copy(append(slices.Concat(patientTags, studyTags), tag.SpecificCharacterSet))
	if err != nil {
		return nil, err
	}
	sets := strings.Split(d.text(tag.SpecificCharacterSet), `\`)
	delete(d, tag.SpecificCharacterSet)
	var out []Attribute
	for _, t := range d.tags() {
		if !d.has(t) || len(d[t].items) > 0 || wordBytes[d[t].vr] > 0 {
			continue
		}
		a := Attribute{Tag: name(t), Value: d.text(t)}
		if info, ok := lookup(t); ok {
			a.Name = info.Keyword
		}
		if hasCharacters[d[t].vr] {
			a.Value = decodeText(a.Value, sets)
		}
		a.Value = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' ' // a terminal is not for the file to steer
			}
			return r
		}, a.Value)
		out = append(out, a)
	}
	return out, nil
}

// decodeText is text in UTF-8. A name's groups may be in a character set each
// (PS3.5 6.1.2); the last set given is that of all but ASCII.
func decodeText(text string, sets []string) (out string) {
	defer func() {
		// The library panics at sets that it names and does not have.
		if recover() != nil || strings.ContainsRune(out, '�') {
			out = strings.Map(func(r rune) rune {
				if r > '~' {
					return '?'
				}
				return r
			}, text)
		}
	}()
	set := strings.TrimSpace(sets[len(sets)-1])
	system, err := charset.ParseSpecificCharacterSet([]string{set})
	if err != nil {
		panic(err)
	}
	out, err = system.Ideographic.String(text)
	if err != nil {
		panic(fmt.Errorf("dicomio: %w", err))
	}
	return out
}
