package dicomio

import (
	"fmt"
	"io"
	"slices"

	"segd"
	"segd/dicomio/tag"
)

// Measure is one coded figure of a Finding.
type Measure struct {
	Concept segd.Code
	Value   float64
	Unit    segd.Code // UCUM
	// Derivation says how the value was derived from several, such as the mean;
	// zero if it was not.
	Derivation segd.Code
}

// AreaMM2 is an area in square millimetres.
func AreaMM2(v float64) Measure {
	return Measure{Concept: codeArea, Value: v, Unit: code{Value: "mm2", Scheme: "UCUM", Meaning: "square millimeter"}}
}

// PixelCount is an area in pixels.
func PixelCount(n int) Measure {
	return Measure{Concept: codeArea, Value: float64(n), Unit: code{Value: "{pixels}", Scheme: "UCUM", Meaning: "pixels"}}
}

// ComponentCount is a number of connected parts.
func ComponentCount(n int) Measure {
	return Measure{Concept: codeComponents, Value: float64(n), Unit: codeNoUnit}
}

// MeanProbability is the mean probability, 0..1, of some pixels.
func MeanProbability(p float64) Measure {
	return Measure{Concept: codeProbability, Value: p, Unit: codeNoUnit, Derivation: codeMean}
}

// Finding holds the measures of a class in one frame.
type Finding struct {
	Source   int // index of Origin.Sources
	Frame    int // from 0
	Class    int // index of Origin.Classes
	Measures []Measure
}

// WriteSR writes the findings as a measurement report: a Comprehensive SR of
// template TID 1500 (PS3.16) in explicit VR little endian, with a measurement
// group for each finding. If seg, which may be nil, holds the mask of a finding,
// its group refers to that frame of the segmentation (TID 1410); otherwise it
// refers to the source image (TID 1501).
//
// The error is segd.ErrUnprocessable, segd.ErrNotFound for a finding whose
// source, frame or class does not exist, or that of w.
func WriteSR(w io.Writer, o Origin, findings []Finding, seg *SEG) error {
	if err := checkSources(o.Sources); err != nil {
		return err
	}
	d, err := o.begin(kindSR, o.instance(kindSR, ""))
	if err != nil {
		return err
	}
	if seg != nil {
		seg.sort() // in the order it is written
	}
	groups := make([]dataset, 0, len(findings))
	for i, f := range findings {
		if f.Source < 0 || f.Source >= len(o.Sources) || f.Class < 1 || f.Class >= len(o.Classes) {
			return fmt.Errorf("dicomio: %w: finding %d of source %d, class %d", segd.ErrNotFound, i+1, f.Source, f.Class)
		}
		if s := o.Sources[f.Source]; f.Frame < 0 || f.Frame >= s.frames {
			return fmtNotFound(f.Frame, s.frames)
		}
		groups = append(groups, o.group(f, seg))
	}
	d.setInts(tag.InstanceNumber, o.number())
	d.setContent(tag.ContentDate, tag.ContentTime)
	d.set(tag.CompletionFlag, "COMPLETE")
	d.set(tag.VerificationFlag, "UNVERIFIED")
	d.setItems(tag.ReferencedPerformedProcedureStepSequence)
	d.setItems(tag.PerformedProcedureCodeSequence)
	d.setItems(tag.CurrentRequestedProcedureEvidenceSequence, o.evidence(d.studyUID(), seg))
	d.set(tag.ValueType, "CONTAINER")
	d.set(tag.ContinuityOfContent, "SEPARATE")
	d.setCode(tag.ConceptNameCodeSequence, code{Value: "126000", Scheme: "DCM", Meaning: "Imaging Measurement Report"})
	d.setItems(tag.ContentTemplateSequence, template("1500"))
	measurements := item("CONTAINS", "CONTAINER", code{Value: "126010", Scheme: "DCM", Meaning: "Imaging Measurements"})
	measurements.set(tag.ContinuityOfContent, "SEPARATE")
	measurements.addContent(groups...)
	content := append(o.context(d.uid), measurements)
	d.addContent(content...)
	return d.write(w, 0, nil)
}

// context identifies the observer (TID 1204, 1001 and 1004).
func (o *Origin) context(uid string) []dataset {
	return []dataset{
		codeItem("HAS CONCEPT MOD", code{Value: "121049", Scheme: "DCM", Meaning: "Language of Content Item and Descendants"},
			code{Value: "en", Scheme: "RFC5646", Meaning: "English"}),
		codeItem("HAS OBS CONTEXT", code{Value: "121005", Scheme: "DCM", Meaning: "Observer Type"},
			code{Value: "121007", Scheme: "DCM", Meaning: "Device"}),
		valueItem("HAS OBS CONTEXT", "UIDREF", code{Value: "121012", Scheme: "DCM", Meaning: "Device Observer UID"}, tag.UID, o.Run.uid("device", o.Model, o.Version)),
		valueItem("HAS OBS CONTEXT", "TEXT", code{Value: "121013", Scheme: "DCM", Meaning: "Device Observer Name"}, tag.TextValue, shorten(o.Model+" "+o.Version, 64)),
		valueItem("HAS OBS CONTEXT", "TEXT", code{Value: "121014", Scheme: "DCM", Meaning: "Device Observer Manufacturer"}, tag.TextValue, manufacturer),
		codeItem("HAS CONCEPT MOD", code{Value: "121058", Scheme: "DCM", Meaning: "Procedure reported"},
			code{Value: "363679005", Scheme: "SCT", Meaning: "Imaging procedure"}),
	}
}

// group is the measurement group of one finding.
func (o *Origin) group(f Finding, seg *SEG) dataset {
	c, s := o.Classes[f.Class], o.Sources[f.Source]
	_, kind := property(c)
	g := item("CONTAINS", "CONTAINER", code{Value: "125007", Scheme: "DCM", Meaning: "Measurement Group"})
	g.set(tag.ContinuityOfContent, "SEPARATE")
	label := c.Name
	switch {
	case s.frames > 1:
		label = fmt.Sprintf("%s, frame %d", c.Name, f.Frame+1)
	case len(o.Sources) > 1:
		label = fmt.Sprintf("%s, image %d", c.Name, f.Source+1)
	}
	content := []dataset{
		valueItem("HAS OBS CONTEXT", "TEXT", code{Value: "112039", Scheme: "DCM", Meaning: "Tracking Identifier"}, tag.TextValue, label),
		valueItem("HAS OBS CONTEXT", "UIDREF", code{Value: "112040", Scheme: "DCM", Meaning: "Tracking Unique Identifier"}, tag.UID,
			o.Run.uid("tracking", o.Model, o.Version, s.instance, fmt.Sprint(f.Frame, f.Class))),
		codeItem("CONTAINS", code{Value: "121071", Scheme: "DCM", Meaning: "Finding"}, kind),
	}
	frame := -1
	if seg != nil {
		frame = seg.frameOf(f)
	}
	if frame >= 0 {
		g.setItems(tag.ContentTemplateSequence, template("1410"))
		ref := dataset{}
		ref.set(tag.ReferencedSOPClassUID, kindSEG.class)
		ref.set(tag.ReferencedSOPInstanceUID, seg.uid)
		ref.setInts(tag.ReferencedFrameNumber, frame)
		content = append(content,
			imageItem("CONTAINS", code{Value: "121214", Scheme: "DCM", Meaning: "Referenced Segmentation Frame"}, ref),
			imageItem("CONTAINS", code{Value: "121233", Scheme: "DCM", Meaning: "Source image for segmentation"}, s.reference(f.Frame)))
	} else {
		g.setItems(tag.ContentTemplateSequence, template("1501"))
	}
	for _, m := range f.Measures {
		n := item("CONTAINS", "NUM", m.Concept)
		value := dataset{}
		value.set(tag.NumericValue, decimal(m.Value))
		value.setCode(tag.MeasurementUnitsCodeSequence, m.Unit)
		n.setItems(tag.MeasuredValueSequence, value)
		if m.Derivation != (code{}) {
			n.addContent(codeItem("HAS CONCEPT MOD", code{Value: "121401", Scheme: "DCM", Meaning: "Derivation"}, m.Derivation))
		}
		if frame < 0 {
			n.addContent(imageItem("INFERRED FROM", code{Value: "121112", Scheme: "DCM", Meaning: "Source of Measurement"}, s.reference(f.Frame)))
		}
		content = append(content, n)
	}
	g.addContent(content...)
	return g
}

// frameOf returns the number, from 1, of the frame of the segmentation that
// holds the mask of f; -1 if there is none.
func (s *SEG) frameOf(f Finding) int {
	i := slices.IndexFunc(s.frames, func(x segFrame) bool { return x.source == f.Source && x.frame == f.Frame })
	if i < 0 {
		return -1
	}
	return (f.Class-1)*len(s.frames) + i + 1
}

// evidence lists everything that the report refers to (PS3.3 C.17.2.3).
func (o *Origin) evidence(study string, seg *SEG) dataset {
	var series []dataset
	for _, s := range o.referenceSeries() {
		x := dataset{}
		x[tag.SeriesInstanceUID] = s[tag.SeriesInstanceUID]
		x.setItems(tag.ReferencedSOPSequence, s[tag.ReferencedInstanceSequence].items...)
		series = append(series, x)
	}
	if seg != nil {
		x, ref := dataset{}, dataset{}
		x.set(tag.SeriesInstanceUID, o.seriesUID(seg.kind))
		ref.set(tag.ReferencedSOPClassUID, seg.kind.class)
		ref.set(tag.ReferencedSOPInstanceUID, seg.uid)
		x.setItems(tag.ReferencedSOPSequence, ref)
		series = append(series, x)
	}
	d := dataset{}
	d.set(tag.StudyInstanceUID, study)
	d.setItems(tag.ReferencedSeriesSequence, series...)
	return d
}

// addContent appends items to the content sequence.
func (d dataset) addContent(items ...dataset) {
	d.setItems(tag.ContentSequence, append(d[tag.ContentSequence].items, items...)...)
}

// item is a content item (PS3.3 C.17.3) without its value.
func item(relation, kind string, concept code) dataset {
	d := dataset{}
	d.set(tag.RelationshipType, relation)
	d.set(tag.ValueType, kind)
	d.setCode(tag.ConceptNameCodeSequence, concept)
	return d
}

func codeItem(relation string, concept, value code) dataset {
	d := item(relation, "CODE", concept)
	d.setCode(tag.ConceptCodeSequence, value)
	return d
}

func valueItem(relation, kind string, concept code, t uint32, value string) dataset {
	d := item(relation, kind, concept)
	d.set(t, value)
	return d
}

func imageItem(relation string, concept code, ref dataset) dataset {
	d := item(relation, "IMAGE", concept)
	d.setItems(tag.ReferencedSOPSequence, ref)
	return d
}

// template names the template of a container (PS3.3 C.18.8).
func template(id string) dataset {
	d := dataset{}
	d.set(tag.MappingResource, "DCMR")
	d.set(tag.TemplateIdentifier, id)
	return d
}
