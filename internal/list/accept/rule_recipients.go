package accept

import (
	"context"
	"fmt"
)

func askRecipients(_ context.Context, c *Case) (bool, string, error) {
	limit := c.List.MaxRecipients
	if limit <= 0 {
		return false, "", nil
	}
	n := len(c.Header.Addresses("To")) + len(c.Header.Addresses("Cc"))
	return n > limit, fmt.Sprintf("The message is addressed to %d people at once (more than %d).", n, limit), nil
}
