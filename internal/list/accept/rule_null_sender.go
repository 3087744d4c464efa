package accept

import (
	"context"
	"fmt"
)

// askNullSender refuses: with no return address nobody can be written to, so the
// refusal makes no stray mail, and the log of the sending server shows it.
func askNullSender(_ context.Context, c *Case) (bool, string, error) {
	return c.ReversePath == "", fmt.Sprintf(
		"Delivery reports do not belong on the list %s; they go to the return address of the copy.", c.List.Address()), nil
}
