package cli

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestImportReadsWhatOthersExport: whatever the order, the separator and the
// character set.
func TestImportReadsWhatOthersExport(t *testing.T) {
	for _, c := range []struct {
		name, csv, want string
	}{
		{"as we write it", "email,name\nzoe@example.org,Zoë\n", "Zoë"},
		{"the name first", "name,email\n\"Lee, Zoë\",zoe@example.org\n", "Lee, Zoë"},
		{"other columns between", "id;Name;Joined;E-Mail\n1;Zoë;2020-01-01;zoe@example.org\n", "Zoë"},
		{"two columns of names", "Nachname;Vorname;E-Mail-Adresse\nLee;Zoë;zoe@example.org\n", "Zoë Lee"},
		{"tabs", "Email\tName\nzoe@example.org\tZoë\n", "Zoë"},
		{"a byte order mark", "\ufeffemail,name\r\nzoe@example.org,Zoë\r\n", "Zoë"},
		{"a byte order mark and quotes", "\ufeff\"name\";\"email\"\r\n\"Zoë\";\"zoe@example.org\"\r\n", "Zoë"},
		{"Latin-1", "name;email\nZo\xeb;zoe@example.org\n", "Zoë"},
		{"no header", "zoe@example.org,Zoë\n", "Zoë"},
		{"no header, the name first", "Zoë;zoe@example.org\n", "Zoë"},
		{"addresses only", "zoe@example.org", ""},
		{"a mailbox", "Zoë <zoe@example.org>\n", "Zoë"},
		{"an empty line before", "\n\nname,email\n\nZoë,zoe@example.org\n", "Zoë"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.ok("list", "create", talk)
			file := r.file("people.csv", c.csv)
			if out := r.ok("subscriber", "import", talk, file, "--dry-run"); out != "would be added 1, already there 0, refused 0\n" {
				t.Error(out)
			}
			if people := r.json("subscriber", "ls", talk); len(people) != 0 {
				t.Fatalf("a dry run added %v", people)
			}
			r.has(r.ok("subscriber", "import", talk, file), "added 1, already there 0, refused 0")
			people := r.json("subscriber", "ls", talk)
			if len(people) != 1 || people[0]["email"] != "zoe@example.org" || people[0]["name"] != c.want {
				t.Errorf("%v", people)
			}
			r.has(r.ok("subscriber", "import", talk, file), "added 0, already there 1, refused 0")
			r.has(r.ok("subscriber", "import", talk, file, "--dry-run"), "would be added 0, already there 1")
		})
	}
}

// TestImportSaysWhatItRefused: each line with its number and the reason, and an
// exit code for scripts; the others are added.
func TestImportSaysWhatItRefused(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", talk)
	out, errs, code := r.run("name,email\nAnn,ann@example.org\nBo,\nCy,cy at example.org\nDi \"D\",di@example.org\nEd,"+talk+"\nFi,fi@example.org\n,ann@EXAMPLE.org\n",
		"subscriber", "import", talk, "-")
	if code != exitFailure || out != "added 2, already there 1, refused 4\n" {
		t.Errorf("exit %d, %s", code, out)
	}
	want := []string{"line 3: there is no address", "line 4: cy at example.org: ", "line 5: bare \" in non-quoted", "line 6: " + talk + " cannot be on itself",
		"plenary: 4 of 7 lines were refused; mend them and import the file again"}
	lines := strings.Split(strings.TrimSpace(errs), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%q", lines)
	}
	for i, w := range want {
		if !strings.HasPrefix(lines[i], w) {
			t.Errorf("%q, not %q", lines[i], w)
		}
	}
	for _, c := range []struct{ csv, want string }{
		{"vorname;wohnort\nAnn;Graz\n", "line 1 holds no address and names no column email; it has: vorname, wohnort"},
		{string(append([]byte{0xff, 0xfe}, utf16le("email\nann@example.org\n")...)), "save it again as CSV in UTF-8"},
	} {
		r.fails(exitFailure, c.want, "subscriber", "import", talk, r.file("bad.csv", c.csv))
	}
	r.has(r.ok("subscriber", "import", talk, r.file("empty.csv", "")), "added 0, already there 0, refused 0")
}

func utf16le(s string) (out []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// TestImportOfMany: several transactions, one refusal in the middle.
func TestImportOfMany(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", talk)
	var csv strings.Builder
	csv.WriteString("email;name\n")
	for i := range 2500 {
		if i == 1200 {
			csv.WriteString("nobody;Nobody\n")
		}
		fmt.Fprintf(&csv, "p%d@example.org;P %d\n", i, i)
	}
	out, errs, code := r.run(csv.String(), "subscriber", "import", talk, "-")
	if code != exitFailure || out != "added 2500, already there 0, refused 1\n" || !strings.HasPrefix(errs, "line 1202: nobody: ") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

// TestImportOfLongLines: what is no table of people is neither kept in memory nor
// shown whole.
func TestImportOfLongLines(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", talk)
	long := strings.Repeat("a", 900_000)
	out, errs, code := r.run("email\n"+long+"@example.org\nann@example.org\n", "subscriber", "import", talk, "-")
	if code != exitFailure || out != "added 1, already there 0, refused 1\n" || len(errs) > 1000 || !strings.Contains(errs, "line 2: aaaa") {
		t.Errorf("exit %d, %s, %d octets of complaints: %.300s", code, out, len(errs), errs)
	}
	for _, text := range []string{"email\nbo@example.org\n" + long + long + "\n", long + long, "first,second\n", long + ",x\n"} {
		_, errs, code := r.run(text, "subscriber", "import", talk, "-")
		if code != exitFailure || len(errs) > 1000 || errs == "" {
			t.Errorf("%.20s: exit %d, %d octets of complaints: %.300s", text, code, len(errs), errs)
		}
	}
	r.has(r.ok("subscriber", "ls", talk), "bo@example.org") // what came before the long line is there
}
