package dataset

import (
	"fmt"
	"maps"
	"slices"

	"segd"
	"segd/dicomio"
	"segd/internal/scanio"
)

// segmentations says which images the DICOM Segmentations and RT Structure Sets among
// some files refer to. Files are named by their stems.
type segmentations struct {
	instances map[string]string            // segmentation of an image, by the image's UID
	series    map[string][]string          // segmentations of a series, by its UID
	segments  map[string][]dicomio.Segment // of each Segmentation
	regions   map[string][]dicomio.Region  // of each RT Structure Set
	listed    map[string]int               // how many images a file refers to
	refers    map[string]bool              // whether a file refers to any image or series
}

// indexSegmentations indexes those files of paths, by stem, that may be DICOM
// Segmentations or RT Structure Sets. It skips files that cannot be read; whoever needs
// one reports it. Two files about one image are segd.ErrFormat. Where nothing can refer
// to the images, refer is false, and only the regions of structure sets are kept.
func indexSegmentations(opener *files, paths map[string]string, refer bool) (*segmentations, error) {
	s := &segmentations{instances: map[string]string{}, series: map[string][]string{}, segments: map[string][]dicomio.Segment{}, regions: map[string][]dicomio.Region{}, listed: map[string]int{}, refers: map[string]bool{}}
	for _, stem := range slices.Sorted(maps.Keys(paths)) {
		file := paths[stem]
		if kindOf(file) != scanio.DICOM {
			continue
		}
		o, err := opener.open(file, asMask)
		var about interface {
			Instances() []string
			Series() []string
		}
		switch {
		case err != nil:
			continue
		case o.structures != nil:
			s.regions[stem], about = o.structures.Regions, o.structures
		case o.labels.SEG != nil:
			about = o.labels.SEG
		}
		if about == nil || !refer {
			continue
		}
		for _, uid := range about.Instances() {
			if other := s.instances[uid]; other != "" {
				return nil, fmt.Errorf("train: %w: segmentations %s and %s refer to the same image", segd.ErrFormat, paths[other], file)
			}
			s.instances[uid], s.refers[stem] = stem, true
			s.listed[stem]++
		}
		for _, uid := range about.Series() {
			s.series[uid], s.refers[stem] = append(s.series[uid], stem), true
		}
		if o.labels != nil {
			s.segments[stem] = o.labels.SEG.Segments
		}
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
