"""How users authenticate: passwords, limits on login attempts, the browser's login session."""
