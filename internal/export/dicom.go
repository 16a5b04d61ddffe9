// Package export turns what was found in a scan into the files that other
// programs take: DICOM objects, NIfTI volumes, TIFF and PNG of values.
//
//	d := export.NewDICOM(run, scan, model.Manifest, []string{export.SEG})
//	err := d.Refused()
//	err = d.Add(0, result, measured)
//	err = d.Write(w, export.SEG)
//
// It joins dicomio, which writes, and the results of internal/segment, for the
// server and the command line alike.
package export

import (
	"io"
	"slices"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/postprocess"
	"segd/internal/segment"
	"segd/models"
)

// BurnedInWarning is of pictures that de-identification leaves as they are.
const BurnedInWarning = "not de-identified: the file does not say that its pixels are free of patient data (BurnedInAnnotation (0028,0301) is not NO), and they are not changed"

// DICOM collects the results of one scan, frame by frame, for the kinds of
// object that are asked for and can be made of it. Merge joins those of the
// slices of a series. It is not safe for concurrent use.
type DICOM struct {
	origin   dicomio.Origin
	seg      *dicomio.SEG
	segProb  *dicomio.SEG
	gsps     *dicomio.GSPS
	rtStruct *dicomio.RTStruct
	findings []dicomio.Finding
	kinds    []string
	refused  refusals
}

// refusals says which kinds cannot be made, and why.
type refusals []struct {
	kind string
	err  error
}

// Error names kinds with one reason together.
func (r refusals) Error() string {
	var out []string
	for i := 0; i < len(r); {
		kinds, reason := "", r[i].err.Error()
		for ; i < len(r) && r[i].err.Error() == reason; i++ {
			kinds += ", " + r[i].kind
		}
		out = append(out, "no "+kinds[2:]+": "+reason)
	}
	return strings.Join(out, "; ")
}

func (r refusals) Unwrap() []error {
	var out []error
	for _, x := range r {
		out = append(out, x.err)
	}
	return out
}

// NewDICOM returns a collector for the objects of kinds, made of scan. Refused tells
// what cannot be made.
func NewDICOM(run *dicomio.Run, scan *segd.Scan, m models.Manifest, kinds []string) *DICOM {
	d := &DICOM{}
	refuse := func(kind string, err error) {
		d.refused = append(d.refused, struct {
			kind string
			err  error
		}{kind, err})
	}
	sources, err := dicomio.SourcesOf(scan)
	if err != nil {
		for _, k := range kinds {
			refuse(k, err)
		}
		return d
	}
	d.origin = dicomio.Origin{Run: run, Model: m.Name, Version: m.Version, Classes: m.Classes, Sources: sources}
	for _, k := range kinds {
		var err error
		switch k {
		case SEG:
			d.seg, err = dicomio.NewSEG(d.origin)
		case SEGProb:
			d.segProb, err = dicomio.NewFractionalSEG(d.origin)
		case GSPS:
			d.gsps, err = dicomio.NewGSPS(d.origin)
		case RTStruct:
			d.rtStruct, err = dicomio.NewRTStruct(d.origin)
		}
		if err != nil {
			refuse(k, err)
			continue
		}
		d.kinds = append(d.kinds, k)
	}
	return d
}

// Refused says which kinds cannot be made of the scan, and why; nil where all
// can. It is segd.ErrUnprocessable where the scan is no DICOM file, since
// nothing says whose it is, or cannot have one of the kinds: a structure set
// needs a frame of reference.
func (d *DICOM) Refused() error {
	if d == nil || d.refused == nil {
		return nil
	}
	return d.refused
}

// Kinds are those that can be made.
func (d *DICOM) Kinds() []string { return d.kinds }

// Makes reports whether a kind can be made.
func (d *DICOM) Makes(kind string) bool { return slices.Contains(d.kinds, kind) }

// Warnings says what a user should know about the objects.
func (d *DICOM) Warnings() []string {
	if len(d.origin.Sources) == 0 {
		return nil
	}
	return d.origin.Sources[0].Warnings()
}

// Merge adds the results of other, an image of the same series (dicomio.Source),
// for the kinds that both can make. Errors are segd.ErrUnprocessable where the
// images do not belong together, and segd.ErrTooLarge; d is then of no use.
func (d *DICOM) Merge(other *DICOM) error {
	d.kinds = slices.DeleteFunc(slices.Clone(d.kinds), func(k string) bool { return !other.Makes(k) })
	for _, k := range d.kinds {
		var err error
		switch k {
		case SEG:
			err = d.seg.Merge(other.seg)
		case SEGProb:
			err = d.segProb.Merge(other.segProb)
		case GSPS:
			err = d.gsps.Merge(other.gsps)
		case RTStruct:
			err = d.rtStruct.Merge(other.rtStruct)
		}
		if err != nil {
			return err
		}
	}
	offset, err := d.origin.Join(other.origin)
	if err != nil {
		return err
	}
	for _, f := range other.findings {
		f.Source += offset
		d.findings = append(d.findings, f)
	}
	return nil
}

// Add adds the result of frame i, counted from 0, and what was measured in it.
// r is not kept.
func (d *DICOM) Add(i int, r *segment.Result, measured []postprocess.Measurement) error {
	source, i := d.frame(i)
	if d.seg != nil {
		if err := d.seg.AddMask(source, i, r.Mask); err != nil {
			return err
		}
	}
	if d.segProb != nil {
		if err := d.segProb.AddProbabilities(source, i, r.Probabilities); err != nil {
			return err
		}
	}
	if d.gsps != nil {
		if err := d.gsps.AddMask(source, i, r.Mask); err != nil {
			return err
		}
	}
	if d.rtStruct != nil {
		if err := d.rtStruct.AddMask(source, i, r.Mask); err != nil {
			return err
		}
	}
	for _, m := range measured {
		f := finding(i, m)
		f.Source = source
		d.findings = append(d.findings, f)
	}
	return nil
}

// frame says which source has frame i of the scan, and as which of its own.
func (d *DICOM) frame(i int) (source, frame int) {
	if len(d.origin.Sources) > 1 { // each has one
		return i, 0
	}
	return 0, i
}

// finding puts a measurement in code.
func finding(frame int, m postprocess.Measurement) dicomio.Finding {
	f := dicomio.Finding{Frame: frame, Class: m.Index, Measures: []dicomio.Measure{dicomio.PixelCount(m.Pixels)}}
	if m.AreaMM2 != nil {
		f.Measures = append(f.Measures, dicomio.AreaMM2(*m.AreaMM2))
	}
	f.Measures = append(f.Measures, dicomio.ComponentCount(m.Components))
	if m.MeanProbability != nil {
		f.Measures = append(f.Measures, dicomio.MeanProbability(*m.MeanProbability))
	}
	return f
}

// Write writes the object of a kind, one of those asked for, that holds all
// frames: any but SC, which is of FrameFiles. A report refers to the segmentation where that is asked
// for too.
func (d *DICOM) Write(w io.Writer, kind string) error {
	switch {
	case kind == SEG && d.seg != nil:
		return d.seg.Write(w)
	case kind == SEGProb && d.segProb != nil:
		return d.segProb.Write(w)
	case kind == SR:
		return dicomio.WriteSR(w, d.origin, d.findings, d.seg)
	case kind == GSPS && d.gsps != nil:
		return d.gsps.Write(w)
	case kind == RTStruct && d.rtStruct != nil:
		return d.rtStruct.Write(w)
	}
	panic("export: no object of kind " + kind + " was asked for")
}
