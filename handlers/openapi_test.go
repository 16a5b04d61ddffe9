package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/image/tiff"

	"segd/dicomio/dicomtest"
	"segd/internal/export"
	"segd/internal/nifti/niftitest"
)

// description is what the tests read of openapi.json.
type description struct {
	OpenAPI    string
	Paths      map[string]map[string]operation
	Components map[string]map[string]any
}

type operation struct {
	OperationID string
	Parameters  []struct {
		Name, In string
		Required bool
		Schema   struct{ Enum []string }
	}
	RequestBody struct {
		Content map[string]struct {
			Schema struct{ Properties map[string]any }
		}
	}
	Responses map[string]any
}

func readDescription(t *testing.T) description {
	t.Helper()
	a := get(t, start(t, newServer(t, nil))+"/openapi.json")
	wantOK(t, a, "application/json")
	var d description
	if err := json.Unmarshal(a.body, &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1.") {
		t.Fatalf("OpenAPI %q", d.OpenAPI)
	}
	return d
}

// Every route is described, and all that is described exists.
func TestOpenAPIRoutes(t *testing.T) {
	var described, exist []string
	ids := map[string]bool{}
	for path, methods := range readDescription(t).Paths {
		for method, op := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
			if op.OperationID == "" || ids[op.OperationID] || len(op.Responses) == 0 {
				t.Errorf("%s %s: operationId %q, %d responses", method, path, op.OperationID, len(op.Responses))
			}
			ids[op.OperationID] = true
			for _, name := range regexp.MustCompile(`\{(.*?)\}`).FindAllStringSubmatch(path, -1) {
				if len(op.Parameters) != 1 || op.Parameters[0].Name != name[1] || op.Parameters[0].In != "path" || !op.Parameters[0].Required {
					t.Errorf("%s: parameters %v", path, op.Parameters)
				}
			}
		}
	}
	param := regexp.MustCompile(`:(\w+)`)
	gets := map[string]bool{}
	routes := newServer(t, nil).echo.Routes()
	for _, r := range routes {
		if r.Method == "GET" {
			gets[r.Path] = true
		}
	}
	for _, r := range routes {
		if r.Method == "HEAD" && gets[r.Path] { // said once, in the description's head
			continue
		}
		exist = append(exist, r.Method+" "+strings.Replace(param.ReplaceAllString(r.Path, "{$1}"), "*", "{file}", 1))
	}
	slices.Sort(described)
	slices.Sort(exist)
	if diff := cmp.Diff(exist, described); diff != "" {
		t.Errorf("routes (-exist +described):\n%s", diff)
	}
}

// The options are described as they are read, in the query and in the form.
func TestOpenAPIOptions(t *testing.T) {
	op := readDescription(t).Paths["/v1/segment"]["post"]
	var query []string
	for _, p := range op.Parameters {
		query = append(query, p.Name)
		if want := slices.Sorted(slices.Values(export.Names(outputs))); p.Name == "output" && !slices.Equal(slices.Sorted(slices.Values(p.Schema.Enum)), want) {
			t.Errorf("outputs %v, want %v", p.Schema.Enum, want)
		}
	}
	slices.Sort(query)
	if diff := cmp.Diff(optionNames, query); diff != "" {
		t.Error(diff)
	}
	fields := slices.Sorted(maps.Keys(op.RequestBody.Content["multipart/form-data"].Schema.Properties))
	if diff := cmp.Diff(optionNames, slices.DeleteFunc(fields, func(s string) bool { return s == "file" })); diff != "" {
		t.Error(diff)
	}
	for _, k := range kinds {
		if _, ok := op.Responses[strconv.Itoa(k.status)]; !ok && k.status != statusClientGone {
			t.Errorf("status %d, %s, is not described", k.status, k.title)
		}
	}
}

// The formats of files are described as they are answered.
func TestOpenAPIFormats(t *testing.T) {
	url := start(t, newServer(t, nil))
	m := image.NewGray(image.Rect(0, 0, side, side))
	var png1, jpeg1, tiff1 bytes.Buffer
	if err := errors.Join(png.Encode(&png1, m), jpeg.Encode(&jpeg1, m, nil), tiff.Encode(&tiff1, m, nil)); err != nil {
		t.Fatal(err)
	}
	var want []any
	for _, file := range [][]byte{
		dicomtest.Write(dicomtest.Disc(side)),
		niftitest.Write(niftitest.Volume{Width: side, Height: side, Depth: 1, Values: make([]int16, side*side)}),
		png1.Bytes(), jpeg1.Bytes(), tiff1.Bytes(),
	} {
		var formats []any
		for _, route := range []string{"/v1/inspect", "/v1/segment?model=bright&output=json"} {
			a := post(t, url+route, file)
			wantOK(t, a, "application/json")
			var answer struct{ Format string }
			if err := json.Unmarshal(a.body, &answer); err != nil {
				t.Fatal(err)
			}
			formats = append(formats, answer.Format)
		}
		if formats[0] == "" || formats[0] != formats[1] {
			t.Errorf("one file is of formats %q", formats)
		}
		want = append(want, formats[0])
	}
	described := 0
	for name, schema := range readDescription(t).Components["schemas"] {
		properties, _ := schema.(map[string]any)["properties"].(map[string]any)
		if format, ok := properties["format"].(map[string]any); ok {
			described++
			if diff := cmp.Diff(want, format["enum"]); diff != "" {
				t.Errorf("%s (-answered +described):\n%s", name, diff)
			}
		}
	}
	if described != 2 {
		t.Errorf("%d schemas have a format, want 2", described)
	}
}

// What is measured in a volume has the properties that are described.
func TestOpenAPIVolumes(t *testing.T) {
	d := readDescription(t)
	a := post(t, start(t, newServer(t, nil))+"/v1/segment?model=bright&output=json", brightVolume(8, 3))
	wantOK(t, a, "application/json")
	var v struct{ Volumes []map[string]any }
	if err := json.Unmarshal(a.body, &v); err != nil || len(v.Volumes) != 1 {
		t.Fatalf("%v, %s", err, a.body)
	}
	checkSchema(t, d, "Volume", v.Volumes[0], true)
	checkSchema(t, d, "VolumeMeasurement", v.Volumes[0]["classes"].([]any)[0].(map[string]any), true)
}

// brightVolume is a NIfTI file of planes whose right half is bright.
func brightVolume(size, planes int) []byte {
	v := niftitest.Volume{Width: size, Height: size, Depth: planes, Affine: [3][4]float64{{-0.5, 0, 0, 10}, {0, 0.75, 0, -20}, {0, 0, 3, 7}}}
	for i := range size * size * planes {
		v.Values = append(v.Values, int16(i%size/(size/2)*900))
	}
	return niftitest.Write(v)
}

// References lead somewhere.
func TestOpenAPIReferences(t *testing.T) {
	d := readDescription(t)
	for _, m := range regexp.MustCompile(`"\$ref": "#/components/(\w+)/(\w+)"`).FindAllStringSubmatch(string(openAPIFile), -1) {
		if d.Components[m[1]][m[2]] == nil {
			t.Errorf("%s/%s is missing", m[1], m[2])
		}
	}
}

// What the server answers has the properties that are described, and those
// that are required are there.
func TestOpenAPIResult(t *testing.T) {
	d := readDescription(t)
	url := start(t, newServer(t, nil))
	var answers = map[string][]byte{
		"Result":  post(t, url+"/v1/segment?output=json", inputs(t)["dicom 16"]).body,
		"Model":   get(t, url+"/v1/models/bright").body,
		"Problem": get(t, url+"/v1/models/dark").body,
	}
	for name, body := range answers {
		var v map[string]any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatal(err)
		}
		checkSchema(t, d, name, v, name != "Model") // model.json is described elsewhere
		if name == "Result" {
			f := v["frames"].([]any)[0].(map[string]any)
			checkSchema(t, d, "Frame", f, true)
			checkSchema(t, d, "Measurement", f["classes"].([]any)[0].(map[string]any), true)
		}
	}
}

func checkSchema(t *testing.T, d description, name string, v map[string]any, closed bool) {
	t.Helper()
	schema := d.Components["schemas"][name].(map[string]any)
	for _, key := range schema["required"].([]any) {
		if _, ok := v[key.(string)]; !ok {
			t.Errorf("%s lacks %s", name, key)
		}
	}
	for key := range v {
		if _, ok := schema["properties"].(map[string]any)[key]; !ok && closed {
			t.Errorf("%s has %s, which is not described", name, key)
		}
	}
}
