package dicomio

import (
	"strings"
	"testing"
)

// headOf is the beginning of a file of a storage class, with a version before it as
// files have it.
func headOf(uid string) []byte {
	if len(uid)%2 == 1 {
		uid += "\x00"
	}
	meta := "\x02\x00\x00\x00UL\x04\x00\x00\x00\x00\x00" +
		"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01" +
		"\x02\x00\x02\x00UI" + string([]byte{byte(len(uid)), 0}) + uid
	return []byte(strings.Repeat("\x00", 128) + "DICM" + meta + "\x08\x00\x05\x00CS\x0a\x00ISO_IR 100")
}

func TestNotImage(t *testing.T) {
	t.Parallel()
	const storage = "1.2.840.10008.5.1.4.1.1."
	for uid, want := range map[string]string{
		storage + "88.11": "report", storage + "88.59": "key object selection", storage + "11.1": "presentation state",
		storage + "66.4": "segmentation", storage + "66.7": "segmentation", storage + "66.1": "registration", storage + "66": "raw data",
		storage + "481.2": "dose", storage + "481.3": "structure set", storage + "104.1": "encapsulated document", "1.2.840.10008.1.3.10": "DICOMDIR",
		// Images.
		storage + "2": "", storage + "4": "", storage + "4.1": "", storage + "7": "", storage + "481.1": "", storage + "77.1.6": "", storage + "12.1": "", storage + "128": "",
		"1.2.826.0.1.3680043.1": "", "": "",
	} {
		if got := NotImage(headOf(uid)); got != want {
			t.Errorf("%s: %q, want %q", uid, got, want)
		}
	}
	whole := headOf(storage + "88.11")
	for n := range whole { // truncated anywhere
		if got := NotImage(whole[:n]); got != "" && got != "report" {
			t.Errorf("%d bytes: %q", n, got)
		}
	}
	long := headOf(storage + "88.11")
	copy(long[132+12+8:], "\xff\xff\xff\xff") // a version of 4 GiB
	if got := NotImage(long); got != "" {
		t.Errorf("a length that lies: %q", got)
	}
}
