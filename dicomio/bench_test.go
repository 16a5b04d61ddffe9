package dicomio_test

import (
	"math/rand/v2"
	"testing"

	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// BenchmarkRead takes a CT slice from the bytes of its file to float32.
func BenchmarkRead(b *testing.B) {
	pix := make([]byte, 2*512*512)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range pix {
		pix[i] = byte(r.Uint32())
	}
	for _, tt := range []struct {
		name, syntax string
		signed       bool
		padding      bool
	}{
		{"explicit", dicomtest.ExplicitLE, false, false},
		{"implicit", dicomtest.ImplicitLE, false, false},
		{"signed", dicomtest.ExplicitLE, true, false},
		{"padding", dicomtest.ExplicitLE, true, true},
		{"big", dicomtest.ExplicitBE, false, false},
		{"deflated", dicomtest.DeflatedLE, false, false},
	} {
		f := dicomtest.Disc(512)
		f.Syntax, f.Signed, f.Pixels = tt.syntax, tt.signed, pix
		if tt.padding {
			f.Elements = append(f.Elements, dicomtest.Element{Tag: tag.PixelPaddingValue, VR: "SS", Value: -2000})
		}
		file := dicomtest.Write(f)
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				s, err := dicomio.Read(file)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Frame(0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
