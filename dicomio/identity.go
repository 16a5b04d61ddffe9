package dicomio

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"segd/dicomio/tag"
)

// Identity identifies an object and its patient, so that files can be grouped.
// Any field may be empty. None may be shown: UIDs lead to the patient, and the
// hash of an ID can be reversed by trying IDs.
type Identity struct {
	Patient                 string // hash of PatientID (0010,0020); empty if it is a placeholder
	Issuer                  string // hash of IssuerOfPatientID (0010,0021)
	Study, Series, Instance string // UIDs
}

// SamePatient reports whether two objects name the same patient, or both name none.
func (id Identity) SamePatient(other Identity) bool {
	return id.Patient == other.Patient && id.Issuer == other.Issuer
}

var identityTags = []uint32{tag.PatientID, tag.IssuerOfPatientID, tag.StudyInstanceUID, tag.SeriesInstanceUID, tag.SOPInstanceUID}

// ReadIdentity reads the identity of the DICOM file b, even if no object could
// refer to it. The errors are those of Read about the structure of a file;
// ReadIdentity ignores pixels.
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

// Identity returns the identity of s.
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

// placeholders matches what de-identification and careless software write
// instead of an ID, which tells no patient from another.
var placeholders = regexp.MustCompile(`(?i)^(anon|anony|anonym|anonymous|anonymi[sz]ed|de-?identified|unknown|none|null|nil|nan|n/?a|not applicable|no ?id|removed|redacted|hidden|patient ?id|0+|x+|[^\pL\pN]*)$`)

func placeholder(value string) bool { return placeholders.MatchString(strings.TrimSpace(value)) }

// hashed returns a hash of a value; kind keeps equal values of different
// attributes apart.
func hashed(kind, value string) string {
	sum := sha256.Sum256([]byte("segd " + kind + "\x00" + strings.TrimSpace(value)))
	return hex.EncodeToString(sum[:])
}
