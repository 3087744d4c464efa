package accept

import (
	"context"

	"plenary/internal/mail/message"
)

// askStructure holds what is beyond the limits of mail/message: it is never
// opened by us, and what one reader makes of it another may not.
func askStructure(_ context.Context, c *Case) (bool, string, error) {
	why := c.Structure.Why
	if !c.Structure.Opaque && len(c.Header.Fields()) >= message.MaxFields {
		why = "too many header fields"
	}
	return why != "", "The message is built in an unusual way and was not opened (" + why + ").", nil
}
