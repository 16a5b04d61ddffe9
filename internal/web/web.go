// Package web holds the web page of segd: drop a scan or a micrograph, see what a
// model finds in it, measure and download.
//
//	index, err := fs.ReadFile(web.Files(), "index.html") // served at /
//	static := http.FileServerFS(web.Files())             // served under /static/
//
// The page is plain HTML, CSS and JavaScript modules. It loads nothing from
// elsewhere and has neither inline scripts nor inline styles, so that it works
// without a network and under the policy
//
//	default-src 'self'; img-src 'self' blob: data:
//
// Each opened file with its chosen model is a session (session.js), which owns its
// requests, results and names. app.js shows only the current session and drops late
// answers for earlier ones.
//
// The page calls the HTTP API of package handlers with relative addresses,
// GET v1/models, GET v1/sample.png and POST v1/segment, and needs a browser
// with DecompressionStream of raw deflate (Chromium 103, Firefox 113, Safari 16.4, or
// later).
package web

import (
	"embed"
	"io/fs"
)

//go:embed index.html style.css icon.svg *.js
var files embed.FS

// Files returns the page's files: index.html and, beside it, those that it
// loads from static/. Safe for concurrent use.
func Files() fs.FS { return files }
