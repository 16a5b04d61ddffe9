package engine

import (
	"fmt"
	"path"
	"slices"
	"strconv"

	"segd"
	"segd/internal/scanio"
	"segd/models"
)

// NameOutputs gives each source the name of its outputs: its own without the
// extension. Sources that would share one (a.png, a.dcm) keep the extension
// (a.png.png, a.dcm.png), so the name does not depend on which came first. Those with
// the same name all the same are a segd.ErrOption.
func NameOutputs(sources []*Source) error {
	users := map[string]int{}
	for _, s := range sources {
		if !s.NoOutputs {
			s.Stem = scanio.Stem(s.Name)
			users[s.Stem]++
		}
	}
	taken := map[string]*Source{}
	for _, s := range sources {
		if s.NoOutputs {
			continue
		}
		if users[s.Stem] > 1 {
			s.Stem = s.Name
		}
		if other := taken[s.Stem]; other != nil {
			return fmt.Errorf("%w: %s and %s would write the same outputs, %s: use two output folders, or give -i the folder that contains both",
				segd.ErrOption, other.Origin, s.Origin, s.Stem)
		}
		taken[s.Stem] = s
	}
	return nil
}

// Anonymise names the sources and their outputs by numbers from 1, since file names of
// scans often hold the patient's.
func Anonymise(sources []*Source) {
	for i, s := range sources {
		s.Name = fmt.Sprintf("%06d", i+1)
		s.Stem = s.Name
	}
}

// JoinChannels makes one source of the files of each image where the model takes
// channels that are images of their own: CASE_0000, CASE_0001 and so on of one Folder
// are CASE. An image whose files are not those of the model's channels fails when its
// turn comes. m may be nil. The sources are named again by NameOutputs afterwards.
func JoinChannels(sources []*Source, m *models.Model) []*Source {
	if m == nil || len(m.Channels) == 0 {
		return sources
	}
	var list []*Source
	at := map[[2]string]*Source{}
	for _, s := range sources {
		name, number, ok := scanio.ChannelOf(scanio.Stem(s.Name))
		if !ok {
			list = append(list, s)
			continue
		}
		key := [2]string{s.Folder, path.Base(name)}
		image := at[key]
		if image == nil {
			image = &Source{Origin: s.Origin, Name: name, Folder: s.Folder}
			at[key] = image
			list = append(list, image)
		}
		if s.Err != nil {
			image.Err = s.Err
		}
		f := s.Files[0]
		f.channel, f.origin = number, s.Origin
		image.Files = append(image.Files, f)
	}
	for _, image := range at {
		image.checkChannels(m)
	}
	return list
}

// checkChannels puts the channels in order and notes what is wrong with them.
func (s *Source) checkChannels(m *models.Model) {
	if s.Err != nil {
		return
	}
	slices.SortStableFunc(s.Files, func(a, b File) int { return a.channel - b.channel })
	s.Origin = s.Files[0].origin
	var numbers []int
	for _, f := range s.Files {
		numbers = append(numbers, f.channel)
	}
	err := scanio.CheckChannels(numbers, len(m.Channels), func(k int) string {
		file := fmt.Sprintf("%s_%04d", path.Base(s.Name), k)
		if k < len(m.Channels) {
			file += " (" + m.Channels[k] + ")"
		}
		return file
	})
	if err != nil {
		s.Err = fmt.Errorf("model %s: %w", m.Name, err)
	}
}

// manyChannels bounds the files of an image that may be its channels. More, numbered
// from 0, are the frames of something.
const manyChannels = 8

// ChannelWarning says that files are named as the channels of one image, where the
// model takes each as an image of its own; empty where they are not. It looks at
// names, which Anonymise takes away.
func ChannelWarning(sources []*Source) string {
	groups := map[string][]int{}
	for _, s := range sources {
		if name, number, ok := scanio.ChannelOf(scanio.Stem(s.Name)); ok && len(s.Files) == 1 {
			groups[name] = append(groups[name], number)
		}
	}
	n, first := 0, ""
	for name, numbers := range groups {
		slices.Sort(numbers)
		if len(numbers) < 2 || len(numbers) > manyChannels || scanio.CheckChannels(numbers, 0, strconv.Itoa) != nil {
			continue
		}
		if n++; first == "" || name < first {
			first = name
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("the files of %d images are named like the channels of one image, such as %s_0000 and %s_0001: this model takes a single image, so each file was segmented separately; a model trained on such channels must name them in its model.json (channels)", n, first, first)
}

// Origins are where the files of a source lie: one for each channel.
func (s *Source) Origins() []string {
	if len(s.Files) < 2 {
		return []string{s.Origin}
	}
	var list []string
	for _, f := range s.Files {
		list = append(list, f.origin)
	}
	return list
}
