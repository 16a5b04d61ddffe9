package dicomio

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"math/big"
)

// randomUID returns a new UID: a random UUID under 2.25 (PS3.5 B.2).
func randomUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return uuidUID(b)
}

// derivedUID returns the UID derived from parts under key. It reveals nothing
// about them without the key.
func derivedUID(key []byte, parts ...string) string {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write([]byte(p)) // never fails (hash.Hash)
		h.Write([]byte{0})
	}
	return uuidUID([16]byte(h.Sum(nil)))
}

// uuidUID formats b as a UID, with the version and variant of a random UUID (RFC
// 9562 5.4).
func uuidUID(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return "2.25." + new(big.Int).SetBytes(b[:]).String()
}
