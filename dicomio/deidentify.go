package dicomio

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"segd/dicomio/tag"
)

// action says what the profile does to an attribute.
type action byte

const (
	keep  action = iota
	drop         // X
	empty        // Z
	dummy        // D
	renew        // U
)

// actions returns the table of profile.go by tag.
var actions = sync.OnceValue(func() map[uint32]action {
	m := map[uint32]action{}
	for _, list := range []struct {
		tags []uint32
		do   action
	}{{removed, drop}, {emptied, empty}, {dummies, dummy}, {renamed, renew}} {
		for _, t := range list.tags {
			m[t] = list.do
		}
	}
	return m
})

// deidentify removes the patient's identity from d by the Basic Application
// Level Confidentiality Profile (PS3.15 E.2), at every level of nesting. As
// profile.go says, each attribute copied from patient and study is removed,
// emptied, or replaced by a dummy or another UID. It goes further in two ways:
// it keeps attributes that the profile does not name only if they are codes or
// UIDs, and it replaces dates and times by dummies. Attributes that an object
// must have are emptied where the profile would remove them. Patient name and ID
// become a pseudonym, so that patients can still be told apart.
//
// The elements written by this package hold only UIDs and times of the source.
// UIDs are replaced by others that are consistent throughout the run. Private
// elements are never copied.
func (d *object) deidentify() {
	patient := d.copied.text(tag.PatientID) + "\x00" + d.copied.text(tag.PatientName)
	study := d.studyUID()
	if patient == "\x00" {
		patient = study
	}
	digits := strings.TrimPrefix(d.run.uid("patient", patient), "2.25.")
	pseudonym := "SEGD-" + digits[:12]
	for t := range d.copied {
		if t>>16 == 0x0012 && t >= tag.PatientIdentityRemoved && t <= tag.DeidentificationMethodCodeSequence {
			delete(d.copied, t) // describes an earlier de-identification
		}
	}
	clean(d.copied)
	d.run.replace(d.copied)
	for _, t := range requiredTags {
		if _, ok := d.copied[t]; !ok {
			d.copied.set(t)
		}
	}
	d.run.replace(d.dataset)
	d.dataset.keepTerms()
	d.copied.keepTerms()
	d.copied.set(tag.PatientName, "SEGD^"+digits[:12])
	d.copied.set(tag.PatientID, pseudonym)
	d.copied.set(tag.PatientIdentityRemoved, "YES")
	d.copied.set(tag.DeidentificationMethod, "PS3.15 Basic Profile by segd, pixels kept")
	d.copied.setCode(tag.DeidentificationMethodCodeSequence, code{Value: "113100", Scheme: "DCM", Meaning: "Basic Application Confidentiality Profile"})
	d.copied.set(tag.LongitudinalTemporalInformationModified, "REMOVED")
}

// clean applies the profile to copied attributes, at every level of nesting.
func clean(d dataset) {
	for t, f := range d {
		group := t >> 16
		do := actions()[t]
		if group&1 == 1 || group&0xff00 == 0x5000 || group&0xff00 == 0x6000 {
			do = drop
		}
		if do == keep && f.vr != "SQ" && f.vr != "UI" && !codeTags[t] {
			do = drop
		}
		if do == drop && slices.Contains(requiredTags, t) {
			do = empty
		}
		switch {
		case do == drop:
			delete(d, t)
		case do == empty:
			d[t] = field{vr: f.vr}
		case f.vr == "SQ":
			for _, item := range f.items {
				clean(item)
			}
		case do == dummy:
			d[t] = dummyOf(f)
		}
	}
}

// sourceTerms lists the coded strings that objects copy from the image itself,
// with the terms they may hold; nothing else is kept.
var sourceTerms = map[uint32]*regexp.Regexp{
	tag.SpecificCharacterSet:        regexp.MustCompile(`^(ISO_IR \d{1,3}|ISO 2022 IR \d{1,3}|GB18030|GBK)?$`),
	tag.BurnedInAnnotation:          regexp.MustCompile(`^(YES|NO)$`),
	tag.VOILUTFunction:              regexp.MustCompile(`^(LINEAR|LINEAR_EXACT|SIGMOID)$`),
	tag.PatientOrientation:          regexp.MustCompile(`^[APLRHF]{0,3}$`),
	tag.LossyImageCompression:       regexp.MustCompile(`^0[01]$`),
	tag.LossyImageCompressionMethod: regexp.MustCompile(`^ISO_[0-9_]+$`),
	tag.Laterality:                  regexp.MustCompile(`^[LR]?$`),
	tag.ImageLaterality:             regexp.MustCompile(`^[LRUB]?$`),
	tag.BodyPartExamined:            regexp.MustCompile(`^$`), // may be free text
	tag.RescaleType:                 regexp.MustCompile(`^(HU|US)?$`),
}

// keepTerms clears elements of d and its items whose values are not among
// sourceTerms, and numbers written as text that do not parse.
func (d dataset) keepTerms() {
	for t, f := range d {
		for _, item := range f.items {
			item.keepTerms()
		}
		ok := true
		for v := range strings.SplitSeq(d.text(t), `\`) {
			v = strings.Trim(v, " \x00")
			if terms := sourceTerms[t]; terms != nil {
				ok = ok && terms.MatchString(v)
			} else if (f.vr == "DS" || f.vr == "IS") && v != "" {
				_, err := strconv.ParseFloat(v, 64)
				ok = ok && err == nil
			}
		}
		switch {
		case ok:
		case t == tag.PatientOrientation, t == tag.Laterality:
			d[t] = field{vr: f.vr} // may be required (type 2)
		default:
			delete(d, t)
		}
	}
}

// codeTags are the texts in code sequences (PS3.3 8.8), which name things, not
// people.
var codeTags = map[uint32]bool{
	tag.CodeValue: true, tag.CodingSchemeDesignator: true, tag.CodingSchemeVersion: true, tag.CodeMeaning: true,
	tag.LongCodeValue: true, tag.SpecificCharacterSet: true,
}

// dummyOf returns a dummy value with the VR of f.
func dummyOf(f field) field {
	switch f.vr {
	case "DS", "IS":
		return field{vr: f.vr, b: []byte("0")}
	case "DA", "TM", "DT", "UI":
		return f // set by replace
	case "AS":
		return field{vr: f.vr, b: []byte("000Y")}
	case "CS", "SH", "LO", "PN", "ST", "LT", "UT", "UC", "AE", "UR":
		return field{vr: f.vr, b: []byte("REMOVED")}
	}
	return field{vr: f.vr, b: make([]byte, len(f.b))}
}

// replace replaces the UIDs, dates and times in d and its items.
func (r *Run) replace(d dataset) {
	for t, f := range d {
		for _, item := range f.items {
			r.replace(item)
		}
		switch {
		case f.vr == "UI" && d.has(t) && !strings.HasPrefix(d.text(t), "1.2.840.10008."):
			// UIDs of the standard, such as SOP classes, stay. An element of the
			// source may hold several UIDs.
			var other []string
			for uid := range strings.SplitSeq(d.text(t), `\`) {
				other = append(other, r.uid("deidentify", strings.Trim(uid, " \x00")))
			}
			d.set(t, other...)
		case f.vr == "DA" && d.has(t):
			d.set(t, "19000101")
		case f.vr == "TM" && d.has(t):
			d.set(t, "000000")
		case f.vr == "DT" && d.has(t):
			d.set(t, "19000101000000")
		case t == tag.LUTExplanation: // the only free text copied from an image
			delete(d, t)
		}
	}
}
