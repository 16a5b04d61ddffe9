package dicomio

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"segd/dicomio/tag"
)

// Identity says which object a file is and whom it shows, to tell files apart
// that belong together or not. Every field may be empty, and none may be shown:
// UIDs lead to the patient, and a hash of an ID is undone by trying IDs.
type Identity struct {
	Patient                 string // hash of PatientID (0010,0020); empty for a placeholder too
	Issuer                  string // hash of IssuerOfPatientID (0010,0021)
	Study, Series, Instance string // UIDs
}

var identityTags = []uint32{tag.PatientID, tag.IssuerOfPatientID, tag.StudyInstanceUID, tag.SeriesInstanceUID, tag.SOPInstanceUID}

// ReadIdentity reads what the DICOM file b says of its identity, also of a file
// that no object could refer to. The errors are those of Read on a file's
// structure; pixels are not looked at.
func ReadIdentity(b []byte) (Identity, error) {
	f, err := open(b)
	if err != nil {
		return Identity{}, err
	}
	d, err := f.copy(identityTags)
	if err != nil {
		return Identity{}, err
	}
	return identityOf(d, d, d), nil
}

// Identity returns what tells s apart from other images.
func (s *Source) Identity() Identity { return identityOf(s.patient, s.study, s.image) }

func identityOf(patient, study, image dataset) Identity {
	id := Identity{Study: study.text(tag.StudyInstanceUID), Series: image.text(tag.SeriesInstanceUID), Instance: image.text(tag.SOPInstanceUID)}
	if v := patient.text(tag.PatientID); !placeholder(v) {
		id.Patient = hashed("patient", v)
		if v := patient.text(tag.IssuerOfPatientID); !placeholder(v) {
			id.Issuer = hashed("issuer", v)
		}
	}
	return id
}

// placeholders are what de-identification and careless software write in the
// place of an ID: they tell no patient from another.
var placeholders = regexp.MustCompile(`(?i)^(anon|anony|anonym|anonymous|anonymi[sz]ed|de-?identified|unknown|none|null|nil|nan|n/?a|not applicable|no ?id|removed|redacted|hidden|patient ?id|0+|x+|[^\pL\pN]*)$`)

func placeholder(value string) bool { return placeholders.MatchString(strings.TrimSpace(value)) }

// hashed hides a value; kind keeps equal values of other attributes apart.
func hashed(kind, value string) string {
	sum := sha256.Sum256([]byte("segd " + kind + "\x00" + strings.TrimSpace(value)))
	return hex.EncodeToString(sum[:])
}
