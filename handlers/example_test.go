package handlers_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"segd/handlers"
	"segd/models"
	"segd/models/modelstest"
	"segd/unet"
)

// A program serves the HTTP interface of segd, with a model of its own.
func Example() {
	dir, err := os.MkdirTemp("", "segd")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := modelstest.Save(dir, "bright"); err != nil {
		panic(err)
	}
	var catalogue models.Catalogue
	if err := catalogue.AddDir(dir); err != nil {
		panic(err)
	}
	pool := unet.NewPool(0)
	defer pool.Close()
	server := httptest.NewServer(handlers.New(handlers.Config{Models: &catalogue, Pool: pool}))
	defer server.Close()

	resp, err := http.Get(server.URL + "/v1/models/bright")
	if err != nil {
		panic(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(resp.Status, bytes.Contains(b, []byte(`"bright"`)))
	// Output: 200 OK true
}
