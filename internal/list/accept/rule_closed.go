package accept

import (
	"context"
	"fmt"
)

func askClosed(_ context.Context, c *Case) (bool, string, error) {
	return c.List.Closed, fmt.Sprintf("The list %s is closed and takes no new posts.", c.List.Address()), nil
}
