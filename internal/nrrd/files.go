package nrrd

import (
	"strconv"
	"strings"

	"segd/internal/beside"
)

// isDataFile reports a field that names the files with the values.
func isDataFile(key string) bool { return key == "data file" || key == "datafile" }

// isList reports whether the names of the files follow the fields.
func isList(value string) bool { return value == "LIST" || strings.HasPrefix(value, "LIST ") }

// detached reports whether the values lie in other files.
func (h *header) detached() bool { return h.get("data file", "datafile") != "" }

// files are the names of the files that have the values: one, a list that follows the
// fields, or a pattern with the first and the last number and a step.
func (h *header) files() ([]string, error) {
	field := h.get("data file", "datafile")
	words := strings.Fields(field)
	switch {
	case isList(field):
		return h.list, nil
	case strings.Contains(field, "%") && len(words) >= 4:
		var numbers [3]int
		for i := range numbers {
			n, err := strconv.Atoi(words[i+1])
			if err != nil {
				return nil, malformed("data file %.60q", field)
			}
			numbers[i] = n
		}
		return beside.Pattern(words[0], numbers[0], numbers[1], numbers[2])
	}
	return []string{field}, nil
}
