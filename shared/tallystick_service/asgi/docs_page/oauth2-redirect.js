"use strict";

// Not through window.opener, as Swagger UI's own page does it: a Cross-Origin-Opener-Policy on either side cuts that.
new BroadcastChannel("oauth2-redirect").postMessage(location.search);
history.replaceState(null, "", location.pathname);  // the code has been handed on
window.close();
