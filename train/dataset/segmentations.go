package dataset

import (
	"fmt"
	"maps"
	"slices"

	"segd"
	"segd/dicomio"
	"segd/internal/scanio"
)

// segmentations says which images the DICOM Segmentations among some files refer to.
// Files are named by their stems.
type segmentations struct {
	instances map[string]string            // segmentation of an image, by the image's UID
	series    map[string][]string          // segmentations of a series, by its UID
	segments  map[string][]dicomio.Segment // of each file
	listed    map[string]int               // how many images a file refers to
	refers    map[string]bool              // whether a file refers to any image or series
}

// indexSegmentations indexes those files of paths, by stem, that may be DICOM
// Segmentations. It skips files that cannot be read; whoever needs one reports it.
// Two segmentations of one image are segd.ErrFormat.
func indexSegmentations(opener *files, paths map[string]string) (*segmentations, error) {
	s := &segmentations{instances: map[string]string{}, series: map[string][]string{}, segments: map[string][]dicomio.Segment{}, listed: map[string]int{}, refers: map[string]bool{}}
	for _, stem := range slices.Sorted(maps.Keys(paths)) {
		file := paths[stem]
		if kindOf(file) != scanio.DICOM {
			continue
		}
		o, err := opener.open(file, asMask)
		if err != nil || o.labels.SEG == nil {
			continue
		}
		seg := o.labels.SEG
		for _, uid := range seg.Instances() {
			if other := s.instances[uid]; other != "" {
				return nil, fmt.Errorf("train: %w: segmentations %s and %s refer to the same image", segd.ErrFormat, paths[other], file)
			}
			s.instances[uid], s.refers[stem] = stem, true
			s.listed[stem]++
		}
		for _, uid := range seg.Series() {
			s.series[uid], s.refers[stem] = append(s.series[uid], stem), true
		}
		s.segments[stem] = seg.Segments
	}
	return s, nil
}

// denies reports whether the file with this stem is a segmentation that refers to
// other images than id.
func (s *segmentations) denies(stem string, id dicomio.Identity) bool {
	if id.Instance == "" || s.instances[id.Instance] == stem {
		return false
	}
	return s.listed[stem] > 0 || s.refers[stem] && !slices.Contains(s.series[id.Series], stem)
}

// about returns the segmentation that refers to an image, or else the first that
// refers to its series. It returns "" if there is none.
func (s *segmentations) about(id dicomio.Identity) string {
	if stem := s.instances[id.Instance]; stem != "" {
		return stem
	}
	if list := s.series[id.Series]; len(list) > 0 {
		return list[0]
	}
	return ""
}
