package inspect

import (
	"fmt"
	"strings"

	"segd"
	"segd/dicomio"
)

// volume says how the frames of a scan lie: the planes of its volumes, or what keeps
// them from being any.
func volume(scan *segd.Scan) (steps, warnings []string) {
	if scan.Frames < 2 {
		return nil, nil
	}
	if scan.Format != "dicom" {
		if scan.Affine == nil || scan.Depth < 2 {
			return nil, nil
		}
		return []string{"the frames are a volume of " + planes(scan.Depth, scan.Times, *scan.Affine)}, nil
	}
	if _, err := dicomio.SourcesOf(scan); err != nil {
		return nil, nil // nothing can be made of where it lies
	}
	stacks, err := dicomio.StacksOf(scan)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), "dicomio: "+segd.ErrUnprocessable.Error()+": ")
		return nil, []string{"the frames make up no volume: " + text}
	}
	var parts []string
	for _, s := range stacks {
		parts = append(parts, planes(s.Depth, s.Times, s.Affine))
		if text := s.Warning(); text != "" {
			warnings = append(warnings, text)
		}
	}
	switch len(parts) {
	case 0:
		return nil, nil
	case 1:
		return []string{"the frames are a volume of " + parts[0]}, warnings
	}
	return []string{fmt.Sprintf("the frames are %d volumes: %s", len(parts), strings.Join(parts, "; "))}, warnings
}

// planes describes a volume: 8 planes, 3 mm apart, at 2 times.
func planes(depth, times int, m segd.Affine) string {
	text := fmt.Sprintf("%d planes, %.4g mm apart", depth, m.SpacingMM(2))
	if depth == 1 {
		text = "1 plane"
	}
	if times > 1 {
		text += fmt.Sprintf(", at %d times", times)
	}
	if sheared, _ := m.Sheared(); sheared {
		text += ", sheared as by a tilted gantry"
	}
	return text
}
