package store

// noteUIDValidity keeps, in the place of a time, the largest UIDVALIDITY that any
// list was ever given. Removing lists does not take it away.
const noteUIDValidity = "lists/uid-validity"

// newUIDValidity gives a new list its UIDVALIDITY: the time in seconds, and more
// than any list ever had. A short mailbox name may pass from one list to another,
// and a name may be taken again within the second: then too the value must grow
// (RFC 9051 2.3.1.1). The row that is changed lets only one at a time through.
func (t *tx) newUIDValidity() (uint32, error) {
	var last int64
	if err := t.Raw("SELECT COALESCE(max(uid_validity), 0) FROM lists").Row().Scan(&last); err != nil {
		return 0, err
	}
	var next int64
	err := t.Raw("INSERT INTO queue_notes (name, text, at) VALUES (?, '', ?) ON CONFLICT (name) DO UPDATE SET"+
		" at = CASE WHEN excluded.at > queue_notes.at THEN excluded.at ELSE queue_notes.at + 1 END RETURNING at",
		noteUIDValidity, max(t.s.Now().Unix(), last+1)).Row().Scan(&next)
	return uint32(next), err
}
