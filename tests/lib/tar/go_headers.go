// Prints what Go's archive/tar writes for the entries on standard input, one JSON object with the sha256 of each header:
//
//	deno run tests/lib/tar/go_headers.ts | go run tests/lib/tar/go_headers.go >tests/lib/tar/go_headers.json
package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"time"
)

type entry struct {
	Title, Name, Link, Type string
	Mode, Size, Mtime       int64
	Uid, Gid                int
	Major, Minor            int64
	Xattrs                  map[string]string
}

func main() {
	var entries []entry
	if err := json.NewDecoder(os.Stdin).Decode(&entries); err != nil {
		panic(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		var buffer bytes.Buffer
		// The format that containerd asks for.
		header := tar.Header{Format: tar.FormatPAX, Typeflag: e.Type[0], Name: e.Name, Linkname: e.Link, Mode: e.Mode,
			Size: e.Size, Uid: e.Uid, Gid: e.Gid, ModTime: time.Unix(e.Mtime, 0), Devmajor: e.Major, Devminor: e.Minor,
			PAXRecords: map[string]string{}}
		for name, value := range e.Xattrs {
			header.PAXRecords["SCHILY.xattr."+name] = value
		}
		if err := tar.NewWriter(&buffer).WriteHeader(&header); err != nil {
			panic(err)
		}
		sum := sha256.Sum256(buffer.Bytes())
		out[e.Title] = hex.EncodeToString(sum[:])
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(out); err != nil {
		panic(err)
	}
}
