package model

// DKIMAlgorithm says how a key signs.
type DKIMAlgorithm uint8

// The algorithms. The zero value is the one every verifier knows.
const (
	DKIMRSA     DKIMAlgorithm = iota // rsa-sha256, RFC 6376
	DKIMEd25519                      // ed25519-sha256, RFC 8463
)

var dkimNames = [...]string{"rsa", "ed25519"}

// String is the name of the algorithm in the key's record (k=).
func (a DKIMAlgorithm) String() string {
	if int(a) < len(dkimNames) {
		return dkimNames[a]
	}
	return "unknown"
}

// DKIMKey signs outgoing mail for a domain. Of a domain's keys of one algorithm
// the one with the latest ActiveAt that has passed signs; the older ones are
// kept, and their records published, until somebody removes them.
type DKIMKey struct {
	ID        int64  `gorm:"primaryKey"`
	Domain    string // d=, lower case, A-labels
	Selector  string // s=, lower case
	Algorithm DKIMAlgorithm
	Record    string  // text of the TXT record that publishes it
	Private   []byte  `json:"-"` // sealed by list/keys
	CreatedAt Instant `gorm:"autoCreateTime:false"`
	ActiveAt  Instant // from when on it signs; zero until somebody says so
}
