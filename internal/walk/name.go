package walk

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable is a file name as it can be shown on a line: control characters, line
// ends among them, marks that turn the direction of writing, and bytes that are
// no UTF-8 are written as Go escapes them in strings. Others stay as they are.
func Printable(name string) string {
	if strings.IndexFunc(name, unprintable) < 0 && utf8.ValidString(name) {
		return name
	}
	var b strings.Builder
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		if part := name[:n]; unprintable(r) || r == utf8.RuneError && n == 1 {
			quoted := strconv.QuoteToASCII(part)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(part)
		}
		name = name[n:]
	}
	return b.String()
}

// unprintable reports characters that change how others are shown.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}
