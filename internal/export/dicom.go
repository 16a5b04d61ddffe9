// Package export turns what was found in a scan into the files that other
// programs take. So far these are DICOM objects.
//
//	d, err := export.NewDICOM(run, file, scan, model.Manifest, []string{export.SEG})
//	err = d.Add(0, result, measured)
//	err = d.Write(w, export.SEG)
//
// It joins dicomio, which writes, and the results of internal/segment, for the
// server and the command line alike.
package export

import (
	"fmt"
	"io"
	"slices"

	"segd"
	"segd/dicomio"
	"segd/internal/overlay"
	"segd/internal/postprocess"
	"segd/internal/segment"
	"segd/models"
)

// Kinds of DICOM object.
const (
	SEG      = "seg"      // segmentation of masks
	SEGProb  = "segprob"  // segmentation of probabilities
	SC       = "sc"       // Secondary Capture of the overlay, one for each frame
	SR       = "sr"       // measurement report
	GSPS     = "gsps"     // presentation state with outlines
	RTStruct = "rtstruct" // structure set
)

// Kinds lists all of them.
func Kinds() []string { return []string{SEG, SEGProb, SC, SR, GSPS, RTStruct} }

// DICOM collects the results of one scan, frame by frame, for the kinds of
// object that are asked for. It is not safe for concurrent use.
type DICOM struct {
	origin   dicomio.Origin
	seg      *dicomio.SEG
	segProb  *dicomio.SEG
	gsps     *dicomio.GSPS
	rtStruct *dicomio.RTStruct
	findings []dicomio.Finding
	kinds    []string
}

// NewDICOM returns a collector for the objects of kinds. scan was read from
// file, which is not kept. The error is segd.ErrUnprocessable where the scan is
// no DICOM file, since nothing says whose it is, or cannot have one of kinds:
// a structure set needs a frame of reference, a presentation state grey pixels.
func NewDICOM(run *dicomio.Run, file []byte, scan *segd.Scan, m models.Manifest, kinds []string) (*DICOM, error) {
	if scan.Format != "dicom" {
		return nil, fmt.Errorf("export: %w: a DICOM object is filed under the patient and study of its image, and a %s file names none", segd.ErrUnprocessable, scan.Format)
	}
	source, err := dicomio.OpenSource(file)
	if err != nil {
		return nil, err
	}
	d := &DICOM{kinds: kinds, origin: dicomio.Origin{
		Run: run, Model: m.Name, Version: m.Version, Classes: m.Classes, Sources: []*dicomio.Source{source},
	}}
	if d.wants(SEG) {
		d.seg, err = dicomio.NewSEG(d.origin)
	}
	if err == nil && d.wants(SEGProb) {
		d.segProb, err = dicomio.NewFractionalSEG(d.origin)
	}
	if err == nil && d.wants(GSPS) {
		d.gsps, err = dicomio.NewGSPS(d.origin)
	}
	if err == nil && d.wants(RTStruct) {
		d.rtStruct, err = dicomio.NewRTStruct(d.origin)
	}
	return d, err
}

func (d *DICOM) wants(kind string) bool { return slices.Contains(d.kinds, kind) }

// Warnings says what a user should know about the objects.
func (d *DICOM) Warnings() []string {
	s := d.origin.Sources[0]
	out := s.Warnings()
	if d.origin.Run.Deidentify && d.wants(SC) && !s.Clean() {
		out = append(out, "BurnedInAnnotation (0028,0301) is not NO: the pixels of the capture may show who the patient is, and are not changed")
	}
	return out
}

// Add adds the result of frame i, counted from 0, and what was measured in it.
// r is not kept.
func (d *DICOM) Add(i int, r *segment.Result, measured []postprocess.Measurement) error {
	if d.seg != nil {
		if err := d.seg.AddMask(0, i, r.Mask); err != nil {
			return err
		}
	}
	if d.segProb != nil {
		if err := d.segProb.AddProbabilities(0, i, r.Probabilities); err != nil {
			return err
		}
	}
	if d.gsps != nil {
		if err := d.gsps.AddMask(0, i, r.Mask); err != nil {
			return err
		}
	}
	if d.rtStruct != nil {
		if err := d.rtStruct.AddMask(0, i, r.Mask); err != nil {
			return err
		}
	}
	for _, m := range measured {
		d.findings = append(d.findings, finding(i, m))
	}
	return nil
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
// frames: any but SC. A report refers to the segmentation where that is asked
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

// WriteSC writes the overlay of frame i, counted from 0, whose result is r, as
// a Secondary Capture; alpha is the opacity of the classes.
func (d *DICOM) WriteSC(w io.Writer, i int, r *segment.Result, alpha float64) error {
	return dicomio.WriteSC(w, d.origin, i, overlay.Overlay(overlay.Render(r.Image), r.Mask, d.origin.Classes, alpha))
}
