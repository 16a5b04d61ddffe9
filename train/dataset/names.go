package dataset

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// suffixes are common endings of label names, after the name of the image. Case does
// not matter.
var suffixes = []string{"_mask", "_masks", "_seg", "_segmentation", "_label", "_labels", "-mask", "-masks", "-seg", "-segmentation", "-label", "-labels"}

// plainStem returns a stem in Unicode's composed form (NFC). Some file systems
// decompose names (é becomes e and an accent), so the names of an image and its label
// may look alike and still differ.
func plainStem(stem string) string { return norm.NFC.String(stem) }

// withoutSuffix removes a label suffix.
func withoutSuffix(stem string) string {
	lower := strings.ToLower(stem)
	for _, s := range suffixes {
		if base := len(stem) - len(s); base > 0 && len(lower) == len(stem) && strings.HasSuffix(lower, s) && stem[base-1] != '/' {
			return stem[:base]
		}
	}
	return stem
}

// bySuffix lists the stems of labels by the stems of the images they may belong to:
// stems that look alike, and stems without the suffix. If the name of an image itself
// ends in a suffix, its label belongs to that image alone.
func bySuffix(labels, images map[string]string) map[string][]string {
	all := map[string][]string{}
	for stem := range labels {
		if images[stem] != "" {
			continue
		}
		for _, of := range slices.Compact([]string{plainStem(stem), plainStem(withoutSuffix(stem))}) {
			all[of] = append(all[of], stem)
		}
	}
	for _, list := range all {
		slices.Sort(list)
	}
	return all
}
