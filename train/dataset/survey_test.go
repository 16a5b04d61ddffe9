package dataset

import "testing"

func TestSurvey(t *testing.T) {
	set := func(vs ...uint8) (s valueSet) {
		for _, v := range vs {
			s[v] = true
		}
		return s
	}
	for name, tt := range map[string]struct {
		masks    []valueSet
		known    int
		scaled   bool
		max      int
		warnings int
		bad      bool
	}{
		"indices":        {masks: []valueSet{set(0, 1), set(0, 2)}, max: 2},
		"0 and 255":      {masks: []valueSet{set(0), set(0, 255)}, scaled: true, max: 1, warnings: 1},
		"left open":      {masks: []valueSet{set(0, 1), set(0, 255)}, max: 1, warnings: 1},
		"a gap":          {masks: []valueSet{set(0, 3)}, max: 3, warnings: 2},
		"antialiased":    {masks: []valueSet{set(0, 17, 130, 254)}, bad: true},
		"beyond known":   {masks: []valueSet{set(0, 2)}, known: 2, bad: true},
		"nothing at all": {masks: []valueSet{set(0)}},
	} {
		l, err := survey(tt.masks, []string{"one", "two"}, tt.known)
		if (err != nil) != tt.bad || !tt.bad && (l.Scaled != tt.scaled || l.Max != tt.max || len(l.Warnings) != tt.warnings) {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}
