package dataset

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// suffixes are what people put behind the name of an image to name its label, in any
// case.
var suffixes = []string{"_mask", "_masks", "_seg", "_segmentation", "_label", "_labels", "-mask", "-masks", "-seg", "-segmentation", "-label", "-labels"}

// plainStem is a stem in the composed form of Unicode. Some file systems take names
// apart (é as e and an accent), so that the names of an image and of its label differ
// though they read alike.
func plainStem(stem string) string { return norm.NFC.String(stem) }

// withoutSuffix cuts a suffix of labels off.
func withoutSuffix(stem string) string {
	lower := strings.ToLower(stem)
	for _, s := range suffixes {
		if base := len(stem) - len(s); base > 0 && len(lower) == len(stem) && strings.HasSuffix(lower, s) && stem[base-1] != '/' {
			return stem[:base]
		}
	}
	return stem
}

// bySuffix lists the stems of labels by the stems of the images that they may belong
// to: those that read alike, and those without the suffix. The label of an image whose
// own name ends in a suffix belongs to that image alone.
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
