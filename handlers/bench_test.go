package handlers

import (
	"bytes"
	"encoding/binary"
	"image/png"
	"strconv"
	"testing"
	"time"

	"segd/dicomio/dicomtest"
	"segd/internal/phantom"
)

// BenchmarkAnswer measures a request of a 512×512 image, from its first byte to the
// last of the answer on loopback. beyond-ms is what it takes besides the network.
func BenchmarkAnswer(b *testing.B) {
	const side = 512
	picture, _ := phantom.Micrograph(1, side, side)
	var asPNG bytes.Buffer
	if err := png.Encode(&asPNG, picture); err != nil {
		b.Fatal(err)
	}
	f := dicomtest.Disc(side) // 12 of 16 bits, with the noise of a detector
	f.Pixels = f.Pixels[:0]
	for i, v := range picture.Pix {
		f.Pixels = binary.LittleEndian.AppendUint16(f.Pixels, uint16(v)<<4|uint16(i*7919>>3&15))
	}
	url := start(b, newServer(b, nil)) + "/v1/segment?output="
	for _, in := range []struct {
		name string
		file []byte
	}{{"png", asPNG.Bytes()}, {"dicom", dicomtest.Write(f)}} {
		for _, kind := range []string{"mask", "json", "overlay", "zip", "seg"} {
			if in.name == "png" && kind == "seg" {
				continue
			}
			b.Run(in.name+"/"+kind, func(b *testing.B) {
				least := time.Hour
				for b.Loop() {
					began := time.Now()
					a := post(b, url+kind, in.file)
					took := time.Since(began)
					if a.status != 200 {
						b.Fatalf("%d %s", a.status, a.body)
					}
					text := a.header.Get(networkHeader) + a.trailer.Get(networkHeader)
					ms, err := strconv.ParseFloat(text, 64)
					if err != nil {
						b.Fatal(err)
					}
					least = min(least, took-time.Duration(ms*float64(time.Millisecond)))
				}
				b.ReportMetric(float64(least.Microseconds())/1e3, "beyond-ms")
			})
		}
	}
}
