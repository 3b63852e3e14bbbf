"""Programs that use Tallystick from the outside, each a small whole."""
