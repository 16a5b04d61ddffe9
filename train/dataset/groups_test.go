package dataset_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/train/check"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
)

// scan writes a labelled DICOM slice of a study to a data set. It omits patient and
// issuer if they are empty.
func scan(t *testing.T, dir, name, patient, issuer, study string) {
	t.Helper()
	n := 0
	for _, r := range name + patient + study {
		n = 31*n + int(r)
	}
	f := datasettest.Slice(fmt.Sprint(n%100000+100000), 0, 4, 0, func(x, y int) int { return 1024 + n%500 + x })
	f.Elements = slices.DeleteFunc(f.Elements, func(e dicomtest.Element) bool { return e.Tag == 0x00100020 || e.Tag == 0x0020000d })
	f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x00100020, VR: "LO", Value: patient}, dicomtest.Element{Tag: 0x0020000d, VR: "UI", Value: "1.2.826.0.1.3680043.10.543.1." + study})
	if issuer != "" {
		f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x00100021, VR: "LO", Value: issuer})
	}
	datasettest.Put(t, dir, "images/"+name+".dcm", dicomtest.Write(f))
	m := datasettest.Grey(4, 4, 0)
	m.Pix[5] = 1
	datasettest.Put(t, dir, "labels/"+name+".png", datasettest.Encode(t, m))
}

// sides lists the groups, and identifies each subject by its first case.
func sides(t *testing.T, dirs ...string) (named, subjects []string) {
	t.Helper()
	d, err := dataset.Open(dirs...)
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]string{}
	for _, c := range d.Cases {
		if first[c.Subject()] == "" {
			first[c.Subject()] = c.ID
		}
		named, subjects = append(named, c.Group), append(subjects, first[c.Subject()])
	}
	return named, subjects
}

func TestGroupsByPatient(t *testing.T) {
	dir := t.TempDir()
	scan(t, dir, "a", "Secret^1", "", "1")
	scan(t, dir, "b", "Secret^1 ", "", "2") // padded
	scan(t, dir, "c", "Secret^2", "H1", "3")
	scan(t, dir, "d", "Secret^2", "H2", "4") // from another hospital
	scan(t, dir, "e", "", "", "5")
	scan(t, dir, "f", "", "", "5")
	scan(t, dir, "g", "ANONYMOUS", "", "6") // says nothing
	scan(t, dir, "h", "anonymous", "", "7")
	scan(t, dir, "i", "", "", "1") // in a's study
	want := []string{"a", "a", "c", "d", "e", "e", "g", "h", "a"}
	named, subjects := sides(t, dir)
	if !slices.Equal(named, want) || !slices.Equal(subjects, want) {
		t.Errorf("groups %q, subjects %q, want %q", named, subjects, want)
	}

	// Another data set has two of the patients, under names that the first set uses.
	other := t.TempDir()
	scan(t, other, "c", "Secret^1", "", "8")
	scan(t, other, "d", "Secret^9", "", "9")
	both, subjects := sides(t, dir, other)
	first := filepath.Base(dir) + "/a"
	if both[9] != first || subjects[9] != first || both[10] == both[3] || subjects[10] == subjects[3] {
		t.Errorf("joined: groups %q, subjects %q", both, subjects)
	}

	r, err := evaluated(t, dir, filepath.Join(dir, "labels"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil || strings.Contains(string(b), "Secret") || len(r.Groups) != 6 {
		t.Errorf("%v, %d groups, %s", err, len(r.Groups), b)
	}

	// With an ids.csv that lists only some images, the patient stays whole.
	datasettest.Put(t, dir, "ids.csv", []byte("id,group\na,x\nc,y\n"))
	named, subjects = sides(t, dir)
	if named[0] != "x" || subjects[1] != "a" || subjects[8] != "a" || subjects[3] == subjects[2] {
		t.Errorf("groups %q, subjects %q", named, subjects)
	}
}

// TestIDsAgainstPatients: an ids.csv that splits a patient is a leak, unless all
// files have the same ID, which then says nothing.
func TestIDsAgainstPatients(t *testing.T) {
	dir := t.TempDir()
	scan(t, dir, "a", "Secret^1", "", "1")
	scan(t, dir, "b", "Secret^1", "", "2")
	datasettest.Put(t, dir, "ids.csv", []byte("id,group\na,x\nb,y\nc,z\n"))
	leaks := func() (n int) {
		for _, f := range checkedOf(t, dir).Findings {
			if f.Fault && f.Kind == check.KindLeakage {
				n++
			}
			if strings.Contains(f.Cause, "Secret") {
				t.Errorf("the patient is named: %q", f.Cause)
			}
		}
		return n
	}
	if _, subjects := sides(t, dir); subjects[0] == subjects[1] || leaks() != 0 {
		t.Errorf("one ID in all files: subjects %q", subjects)
	}
	scan(t, dir, "c", "Secret^2", "", "3")
	_, subjects := sides(t, dir)
	if !slices.Equal(subjects, []string{"a", "a", "c"}) || leaks() != 1 {
		t.Errorf("subjects %q, %d leaks", subjects, leaks())
	}
	d, err := dataset.Open(dir)
	if err != nil || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "different groups") {
		t.Errorf("%v, %q", err, d.Warnings)
	}
}

// TestCheckPatientsOfSplits finds a patient on both sides from the headers alone.
func TestCheckPatientsOfSplits(t *testing.T) {
	root := t.TempDir()
	training, test := filepath.Join(root, "train"), filepath.Join(root, "test")
	scan(t, training, "a", "Secret^1", "", "1")
	scan(t, training, "b", "Secret^2", "", "2")
	scan(t, test, "a", "Secret^2", "", "3")
	scan(t, test, "c", "Secret^3", "", "4")
	for _, dirs := range [][]string{{training, test}, {training}, {test}} {
		var leaks []check.Finding
		for _, f := range checkedOf(t, dirs...).Findings {
			if f.Kind == check.KindLeakage {
				leaks = append(leaks, f)
			}
		}
		if len(leaks) != 1 || !leaks[0].Fault {
			t.Errorf("%q: %+v", dirs, leaks)
		}
	}
}

func TestGroupsOfBIDS(t *testing.T) {
	files := map[string]any{}
	ids := []string{"ses-1/sub-03_T1w", "ses-2/sub-03_T1w", "site/sub-01_T1w", "sub-01/ses-1/anat/sub-01_ses-1_T1w", "sub-01_ses-2_T1w", "sub-02_ses-1_T1w", "submarine", "x"}
	for i, id := range ids {
		files["images/"+id+".png"], files["labels/"+id+".png"] = []uint8{uint8(i), 1, 2, 3}, datasettest.Pixels
	}
	want := []string{"sub-03", "sub-03", "site/sub-01", "sub-01", "sub-01", "sub-02", "submarine", "x"}
	if named, _ := sides(t, datasettest.Tree(t, t.TempDir(), files)); !slices.Equal(named, want) {
		t.Errorf("got %q, want %q", named, want)
	}
}

// TestIDs: ids may include the folder and the extension of their file. Anything else
// must match.
func TestIDs(t *testing.T) {
	for name, tt := range map[string]struct {
		ids  string
		kind error
		says string // in the error or the one warning
	}{
		"stems":             {"id,group\na,1\nsub/b,1\nc,2\n", nil, ""},
		"extensions":        {"id,group\na.png,1\nsub/b.PNG,1\nc.png,2\n", nil, ""},
		"of the labels":     {"id,group\na.nii.gz,1\nsub/b.tif,1\nc.png,2\n", nil, ""},
		"folders":           {"id,group\nimages/a.png,1\nimages/sub/b,1\n./images/c.png,2\n", nil, ""},
		"backslashes":       {"id,group\nimages\\a.png,1\nsub\\b.png,1\nc,2\n", nil, ""},
		"semicolons":        {"\ufeffID;Group\r\na;1\r\nsub/b;1\r\nc;2\r\n", nil, ""},
		"tabs, spaces":      {"id\tgroup\na \t1\nsub/b\t 1\nc\t2\n", nil, ""},
		"the same id twice": {"id,group\na,1\na,1\nsub/b,1\nc,2\n", nil, ""},
		"a part":            {"id,group\na,1\nsub/b,1\n", nil, "1 of 3 images"},
		"spare ids":         {"id,group\na,1\nsub/b,1\nc,2\nnobody,3\n", nil, `1 of 4 ids`},
		"names alone":       {"id,group\na,1\nb,1\nc,2\n", nil, `"b"`},
		"no image":          {"id,group\nA,1\nSUB/B,1\nC,2\n", segd.ErrFormat, `"A"`},
		"nothing":           {"id,group\n", segd.ErrFormat, "0 ids"},
		"two groups":        {"id,group\na,1\na.png,2\n", segd.ErrFormat, "two groups"},
		"twice":             {"id,group\na,1\na,2\n", segd.ErrFormat, "line 3"},
		"UTF-16":            {"\xff\xfei\x00d\x00", segd.ErrFormat, "UTF-16"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := datasettest.Tree(t, t.TempDir(), map[string]any{
				"images/a.png": []uint8{1, 2}, "images/sub/b.png": []uint8{2, 3}, "images/c.png": []uint8{3, 4},
				"labels/a.png": []uint8{0, 1}, "labels/sub/b.png": []uint8{0, 1}, "labels/c.png": []uint8{0, 1}, "ids.csv": tt.ids,
			})
			faults := 0
			for _, f := range checkedOf(t, dir).Findings {
				if f.Fault {
					faults++
				}
			}
			d, err := dataset.Open(dir)
			if tt.kind != nil {
				if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || faults != 1 {
					t.Errorf("%v, %d faults", err, faults)
				}
				return
			}
			if err != nil || faults != 0 || (tt.says == "") != (len(d.Warnings) == 0) || !strings.Contains(strings.Join(d.Warnings, ""), tt.says) {
				t.Fatalf("%v, %d faults, %+v", err, faults, d)
			}
			if tt.says == "" && (d.Cases[0].Group != "1" || d.Cases[1].Group != "2" || d.Cases[2].Group != "1") {
				t.Errorf("%+v", d.Cases)
			}
		})
	}
}

// TestIDsOfChannels: ids may name the file of the first channel.
func TestIDsOfChannels(t *testing.T) {
	dir := datasettest.Tree(t, t.TempDir(), map[string]any{
		"imagesTr/x_0000.png": datasettest.Pixels, "imagesTr/y_0000.png": datasettest.Pixels, "labelsTr/x.png": datasettest.Pixels, "labelsTr/y.png": datasettest.Pixels,
		"dataset.json": `{"channel_names": {"0": "grey"}, "labels": {"background": 0, "disc": 1}}`,
		"ids.csv":      "id,group\nx_0000.png,p\nimagesTr/y_0000,p\n",
	})
	if named, _ := sides(t, dir); !slices.Equal(named, []string{"p", "p"}) {
		t.Errorf("got %q", named)
	}
}

// TestSplitOfOnePatient: if there is only one patient, studies are not split.
func TestSplitOfOnePatient(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a", "b", "c", "d"} {
		scan(t, dir, name, "Secret^1", "", fmt.Sprint(1+i/2))
	}
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	training, validation, warning, err := dataset.Split(d.Cases, 1, 0.5, 0, 0)
	if err != nil || len(training) != 2 || len(validation) != 2 || validation[1] != validation[0]+1 || !strings.Contains(warning, "studies") {
		t.Errorf("%v, %v, %q, %v", training, validation, warning, err)
	}
}
