#!/bin/sh
# Secrets and a development certificate for docker compose, in var/compose/. Existing files are kept.
# Only the owner can enter the folder. The files in it are readable, because the containers read them as other users.
set -eu
cd "$(dirname "$0")/../.."
folder=var/compose

if ! command -v openssl >/dev/null; then
    echo "secrets: openssl is needed, and was not found" >&2
    exit 1
fi
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

random() {
    openssl rand -base64 32 | tr '+/' '-_' | tr -d '=\n'
}

# keep NAME: write stdin to the file NAME, unless it exists.
keep() {
    if [ -s "$1" ]; then
        cat >/dev/null
    else
        cat >"$1.unfinished"
        mv "$1.unfinished" "$1"
    fi
}

for name in auth_master_key auth_db_password notes_db_password notes_bot_secret; do
    random | keep "$name"
done
echo "postgresql://auth:$(cat auth_db_password)@auth-db/auth" | keep auth_database_url
echo "postgresql://notes:$(cat notes_db_password)@notes-db/notes" | keep notes_database_url

if [ ! -s tls_certificate ]; then
    # Everything that strict verification needs (RFC 5280); Python verifies strictly since 3.13.
    cat >openssl.cnf <<'END'
[req]
distinguished_name = name
prompt = no
[name]
CN = Tallystick development
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:id.example.localhost, DNS:notes.example.localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
    openssl ecparam -name prime256v1 -genkey -noout -out authority_key
    openssl req -new -x509 -config openssl.cnf -extensions authority -key authority_key -days 825 -out development_ca
    openssl ecparam -name prime256v1 -genkey -noout -out tls_key
    openssl req -new -config openssl.cnf -key tls_key -out request
    openssl x509 -req -in request -CA development_ca -CAkey authority_key -set_serial "0x$(openssl rand -hex 16)" \
        -extfile openssl.cnf -extensions server -days 825 -out certificate 2>/dev/null
    chmod 644 tls_key
    mv certificate tls_certificate
    # The key of the authority is deleted, so it cannot sign another certificate.
    rm -f openssl.cnf request authority_key
fi
echo "secrets: in $folder; to trust the certificate in a browser, import $folder/development_ca"
