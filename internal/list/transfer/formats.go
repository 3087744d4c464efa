package transfer

import "io"

// Format is a kind of archive that can be imported.
type Format struct {
	Name, Doc string
	// Read gives a reader of a file that stands at octet at of the unpacked
	// file, which is 0 or what an earlier Message.End said; of messages of more
	// than limit octets it keeps nothing. Nil when each file holds one message.
	Read func(r io.Reader, at, limit int64) Reader
	// Folder gives the files of a folder in the order they are read; nil when
	// the format has no folders.
	Folder func(dir string) ([]string, error)
}

// Formats is the table of formats that can be imported.
func Formats() []Format {
	return []Format{
		{Name: "mbox", Read: readMbox,
			Doc: "a file of messages, each after a line that begins with From and ends with a date, as Mailman, Unix mailers and " +
				"Thunderbird write it; lines are kept as they stand, but files written by our own export, or by public-inbox, are unquoted"},
		{Name: "mboxrd", Read: readMboxrd,
			Doc: "the same, and one > is taken off each line that begins with > signs and From"},
		{Name: "maildir", Folder: maildirFiles, Doc: "a folder with the folders cur and new, one file a message"},
		{Name: "eml", Folder: emlFiles, Doc: "files of one message each, or folders of files that end in .eml"},
	}
}

// FindFormat finds a format by name.
func FindFormat(name string) (Format, bool) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}
