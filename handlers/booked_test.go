//go:build !race && !purego

package handlers

import (
	"image"
	"image/color"
	"net/http"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"segd/dicomio/dicomtest"
	"segd/models"
)

// liveHeap follows the bytes that are alive and those in the books, and returns
// the most of either.
func liveHeap(s *Server) (stop func() (live, booked int64)) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	read := func() int64 {
		runtime.GC()
		runtime.GC() // what a sync.Pool holds
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	s.Models.Trim(0)
	first := read()
	for range 20 { // what earlier tests have left goes first
		time.Sleep(10 * time.Millisecond)
		n := read()
		if first-n < 1<<18 {
			break
		}
		first = n
	}
	most, booked := first, int64(0)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			booked = max(booked, s.memory.inUse())
			most = max(most, read())
			booked = max(booked, s.memory.inUse())
			select {
			case <-quit:
				return
			default:
			}
		}
	}()
	return func() (int64, int64) {
		close(quit)
		<-done
		return most - first, booked
	}
}

// What a request is booked with is what it takes: not less, and not several times
// as much.
func TestBooked(t *testing.T) {
	catalogue, err := models.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, func(c *Config) { c.Models = catalogue })
	url := start(t, s)
	const n = 500
	wide := image.NewNRGBA64(image.Rect(0, 0, n, n))
	for i := range wide.Pix {
		wide.Pix[i] = uint8(i * 31 >> 3)
	}
	palette := image.NewPaletted(image.Rect(0, 0, n, n), color.Palette{color.Gray{10}, color.RGBA{200, 0, 9, 255}})
	for _, tt := range []struct {
		name, query string
		file        []byte
	}{
		{"grey", "model=nuclei&output=mask", disc(t, n)},
		{"grey, mirrored", "model=nuclei&output=json&tta=1", disc(t, n)},
		{"all of colour", "model=retina-vessels&output=zip", encodePNG(t, wide)},
		{"palette", "model=nuclei&output=overlay", encodePNG(t, palette)},
		{"scaled", "model=cxr-lungs&output=overlay", disc(t, 2*n)},
		{"DICOM", "model=cardiac-lv&output=seg", dicomtest.Write(dicomtest.Disc(n))},
		{"DICOM, probabilities", "model=nuclei&output=segprob", dicomtest.Write(frames(n/2, 3))},
		{"volume", "model=nuclei&output=nifti", zeroVolume(n, n, 3)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := post(t, url+"/v1/segment?"+tt.query, disc(t, 32)); a.status >= 500 { // loads the model
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			stop := liveHeap(s)
			a := post(t, url+"/v1/segment?"+tt.query, tt.file)
			live, booked := stop()
			if a.status != http.StatusOK {
				t.Fatalf("status %d: %.200s", a.status, a.body)
			}
			t.Logf("%d MiB alive, %d booked", live>>20, booked>>20)
			// What is allocated while a collection runs counts as alive.
			if live > booked+booked/8+8<<20 || booked > 4*live {
				t.Errorf("%d MiB alive at the most, %d booked", live>>20, booked>>20)
			}
			wantNothingHeld(t, s)
		})
	}
}
