package model

import "strings"

// STSPolicy is the MTA-STS policy of a domain (RFC 8461) as it was fetched.
type STSPolicy struct {
	Domain   string `gorm:"primaryKey"`
	PolicyID string
	Mode     string
	MX       string `gorm:"column:mx"` // patterns, with spaces
	MaxAge   int64  // seconds
	Fetched  Instant
}

// TableName is for GORM.
func (STSPolicy) TableName() string { return "sts_policies" }

// Patterns gives the mx patterns.
func (p *STSPolicy) Patterns() []string { return strings.Fields(p.MX) }

// SetPatterns sets the mx patterns.
func (p *STSPolicy) SetPatterns(mx []string) { p.MX = strings.Join(mx, " ") }

// TLSCount is how many connections of a day had the same outcome of TLS, for
// reports to who receives our mail (RFC 8460).
type TLSCount struct {
	Day      string `gorm:"primaryKey"` // 2006-01-02, UTC
	Domain   string `gorm:"primaryKey"` // of the recipients
	Policy   string `gorm:"primaryKey"` // sts, tlsa, no-policy-found
	MXHost   string `gorm:"primaryKey;column:mx_host"`
	IP       string `gorm:"primaryKey;column:ip"`
	Result   string `gorm:"primaryKey"` // empty: well; else a result type of RFC 8460 4.3
	Sessions int64
}

// TableName is for GORM.
func (TLSCount) TableName() string { return "tls_counts" }

// TLSReport is a report on the TLS of a day that was made for a policy domain.
type TLSReport struct {
	Day    string `gorm:"primaryKey"` // 2006-01-02, UTC
	Domain string `gorm:"primaryKey"`
	SentTo string // URIs with spaces between them; empty: it wants none
	At     Instant
}

// TableName is for GORM.
func (TLSReport) TableName() string { return "tls_reports" }
