package app

import (
	"strings"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
)

// postmasters checks smtp.postmaster.
func postmasters(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		if _, err := address.Parse(strings.TrimSpace(part)); err != nil && strings.TrimSpace(part) != "" {
			return fault.Wrap(fault.Invalid, err, "smtp.postmaster must be an address, several with commas")
		}
	}
	return nil
}
