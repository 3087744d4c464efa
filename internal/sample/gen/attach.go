package gen

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

func (b *builder) attachment(m *Message, spec string) (*entity, error) {
	file, shown, ok := strings.Cut(spec, " as ")
	if !ok {
		shown = file
	}
	data, err := fs.ReadFile(b.src, "files/"+file)
	if err != nil {
		return nil, err
	}
	kind := mediaType(file)
	e := &entity{kind: kind, encoding: "base64", fields: []string{"Content-Disposition: attachment; " + fileParam(shown)}}
	if strings.HasPrefix(kind, "text/") || strings.HasSuffix(file, ".asc") {
		e.encoding = "quoted-printable"
		e.body = transfer(e.encoding, data)
	} else {
		e.body = lines76(data)
	}
	if shown == file {
		e.kind += "; name=\"" + file + "\""
	}
	return e, nil
}

// fileParam writes a file name; outside ASCII as RFC 2231 says, in pieces when
// it is long.
func fileParam(name string) string {
	if isASCII([]byte(name)) {
		return "filename=\"" + name + "\""
	}
	var coded strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' {
			coded.WriteByte(c)
		} else {
			fmt.Fprintf(&coded, "%%%02X", c)
		}
	}
	s := "utf-8''" + coded.String()
	if len(s) <= 60 {
		return "filename*=" + s
	}
	var pieces []string
	for i := 0; s != ""; i++ {
		n := min(len(s), 54)
		for n < len(s) && (s[n-1] == '%' || s[n-2] == '%') { // keep %XX whole
			n--
		}
		pieces = append(pieces, fmt.Sprintf("filename*%d*=%s", i, s[:n]))
		s = s[n:]
	}
	return strings.Join(pieces, "; ")
}

func mediaType(name string) string {
	switch path.Ext(name) {
	case ".png":
		return "image/png"
	case ".gif":
		return "image/gif"
	case ".pdf":
		return "application/pdf"
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".vcf":
		return "text/vcard; charset=utf-8"
	case ".ics":
		return "text/calendar; charset=utf-8; method=PUBLISH"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".docx":
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case ".asc":
		return "application/pgp-keys"
	}
	return "application/octet-stream"
}
