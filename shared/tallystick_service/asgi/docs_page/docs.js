"use strict";

// Swagger UI has a dark style. The page decides when to use it.
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const followColorScheme = () => document.documentElement.classList.toggle("dark-mode", prefersDark.matches);
followColorScheme();
prefersDark.addEventListener("change", followColorScheme);

const page = document.getElementById("swagger-ui").dataset;

const ui = SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: page.openapiUrl,
  oauth2RedirectUrl: new URL("docs/oauth2-redirect", location.href).href,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null,
  // Swagger UI adds this header to its token request. Without the header, an issuer need not allow it (CORS).
  requestInterceptor: (request) => {
    delete request.headers["X-Requested-With"];
    return request;
  },
});

ui.initOAuth({
  clientId: page.clientId,
  scopes: page.scopes,
  usePkceWithAuthorizationCodeGrant: true,
});

// Swagger UI keeps its pending request in window.swaggerUIRedirectOauth2; oauth2-redirect.js sends the response.
new BroadcastChannel("oauth2-redirect").onmessage = ({ data }) => {
  const answer = new URLSearchParams(data);
  const waiting = window.swaggerUIRedirectOauth2;
  if (!waiting || !answer.get("state") || answer.get("state") !== waiting.state) {
    return;  // for another tab, or for a request that is no longer pending
  }
  delete window.swaggerUIRedirectOauth2;
  if (answer.get("code")) {
    waiting.auth.code = answer.get("code");
    waiting.callback({ auth: waiting.auth, redirectUrl: waiting.redirectUrl });
  } else {
    waiting.errCb({
      authId: waiting.auth.name,
      source: "auth",
      level: "error",
      message: `[${answer.get("error")}]: ${answer.get("error_description") || "the authorization failed"}`,
    });
  }
};
