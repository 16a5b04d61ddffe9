package handlers

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"segd/models"
	"segd/models/modelstest"
)

// A model of values is listed, and no answer that is made of classes comes from
// it, wherever it is named.
func TestModelOfValues(t *testing.T) {
	dir := t.TempDir()
	if err := modelstest.SaveValues(filepath.Join(dir, "thousand"), "thousand"); err != nil {
		t.Fatal(err)
	}
	var catalogue models.Catalogue
	if err := catalogue.AddDir(dir); err != nil {
		t.Fatal(err)
	}
	url := start(t, newServer(t, func(c *Config) { c.Models = &catalogue }))
	if a := get(t, url+"/v1/models/thousand"); a.status != http.StatusOK || !strings.Contains(string(a.body), `"values"`) {
		t.Errorf("card: status %d, %s", a.status, a.body)
	}
	for _, output := range []string{"mask", "overlay", "json", "nifti", "seg", "sr", "rtstruct", "gsps", "sc"} {
		wantProblem(t, post(t, url+"/v1/segment?model=thousand&output="+output, disc(t, 16)), http.StatusBadRequest, "gives values")
	}
	wantProblem(t, do(t, form(t, url+"/v1/segment", "file", disc(t, 16), "model", "thousand")), http.StatusBadRequest, "gives values")
	wantProblem(t, post(t, url+"/v1/segment?model=auto", disc(t, 16)), http.StatusUnprocessableEntity, "no model")
}
