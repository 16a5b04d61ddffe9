package dicomio

import (
	"fmt"
	"slices"
	"strings"

	"github.com/suyashkumar/dicom/pkg/charset"

	"segd/dicomio/tag"
)

// Attribute is one attribute of a patient or study, for display.
type Attribute struct {
	Tag   string `json:"tag"`  // (gggg,eeee)
	Name  string `json:"name"` // its keyword in PS3.6
	Value string `json:"value"`
}

// Patient returns the attributes of patient and study in the DICOM file b that
// objects copy, by ascending tag, without sequences and empty attributes. It is
// the only function that returns patient data: call it only for a user who asks
// to see them. Values are in UTF-8; question marks replace characters of an
// unknown character set. The errors are those of Read about the structure of a
// file; Patient ignores pixels.
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
				return ' ' // a file must not control the terminal
			}
			return r
		}, a.Value)
		out = append(out, a)
	}
	return out, nil
}

// decodeText converts text to UTF-8. The groups of a person's name may each use
// another character set (PS3.5 6.1.2); the last set applies to everything but
// ASCII.
func decodeText(text string, sets []string) (out string) {
	defer func() {
		// The library panics on some sets that it lists but does not implement.
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
