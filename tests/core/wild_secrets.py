"""Secrets as real programs print, store and send them: formats of public documentation, filled in by dice.

Written without a look at the filter's own grammar, so that it isn't only asked what it knows.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterator

from tests.core.secret_corpus import ALNUM, HEX, Case, some

LOWER = string.ascii_lowercase + string.digits
SYMBOLS = ALNUM + "!#%*+-_.^~"
B64 = ALNUM + "+/"


def generic(dice: random.Random) -> str:
    """A value as a generator of passwords makes it."""
    size, alphabet = dice.choice([(16, ALNUM), (24, ALNUM), (32, HEX), (20, ALNUM + "-_"), (40, ALNUM)])
    return some(dice, alphabet, size)


def password(dice: random.Random) -> str:
    """A password with punctuation that needs no quoting."""
    return some(dice, ALNUM, 1) + some(dice, SYMBOLS, 13) + some(dice, ALNUM, 1)


def b64(dice: random.Random, size: int = 43) -> str:
    return some(dice, B64, size) + "="


def url_safe(dice: random.Random) -> str:
    return some(dice, ALNUM + "_", 24)


def hexes(size: int) -> Callable[[random.Random], str]:
    return lambda dice: some(dice, HEX, size)


def letters(size: int) -> Callable[[random.Random], str]:
    return lambda dice: some(dice, ALNUM, size)


Maker = Callable[[random.Random], str]

# One line each: what it is, who makes the value, the text around it.
LINES: tuple[tuple[str, Maker, str], ...] = (
    ("curl header", generic, "+ curl -sS -H 'X-Api-Key: {}' https://api.example.com/v2/orders"),
    ("curl bearer", generic, 'curl -X POST -H "Authorization: Bearer {}" -d @body.json https://api.example.com/'),
    ("curl user", password, "curl -u deploy:{} https://nexus.example.com/repository/raw/a.tgz"),
    ("curl verbose", generic, "> GET /v1/users HTTP/1.1\n> Host: api.example.com\n> authorization: Bearer {}\n>"),
    ("basic header", b64, "Authorization: Basic {}"),
    ("proxy basic", b64, "Proxy-Authorization: Basic {}"),
    ("wget", password, "wget --user=ci --password={} https://files.example.com/a.zip"),
    ("httpie", generic, "http GET https://api.example.com/me X-Auth-Token:{}"),
    ("set-cookie", generic, "Set-Cookie: sessionid={}; Path=/; HttpOnly; Secure"),
    ("cookie", generic, "Cookie: theme=dark; session={}; lang=en"),
    ("access log query", generic,
     '10.2.3.4 - - [10/Oct/2025:13:55:36 +0000] "GET /cb?access_token={} HTTP/1.1" 200 12'),
    ("signed url", hexes(64), "GET https://b.s3.amazonaws.com/k?X-Amz-Expires=300&X-Amz-Signature={} 200"),
    ("azure sas", b64, "https://acct.blob.core.windows.net/c/b?sv=2022-11-02&sr=b&sp=r&sig={}"),
    ("azure storage", b64,
     "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={};EndpointSuffix=core.windows.net"),
    ("azure bus", b64, "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}"),
    ("ado.net", password, "Server=tcp:db,1433;Database=app;User ID=sa;Password={};Encrypt=True"),
    ("odbc", password, "Driver={{ODBC Driver 18}};Server=db;UID=sa;PWD={};"),
    ("jdbc", password, "jdbc:postgresql://db:5432/app?user=app&password={}&ssl=true"),
    ("jdbc oracle", password, "jdbc:oracle:thin:scott/{}@//db:1521/ORCL"),
    ("libpq", password, "host=db port=5432 dbname=app user=app password={} sslmode=require"),
    ("postgres url", url_safe, "DATABASE_URL=postgresql+asyncpg://app:{}@db.internal:5432/app"),
    ("mongo url", url_safe, "connecting to mongodb+srv://root:{}@cluster0.abcde.mongodb.net/?retryWrites=true"),
    ("redis url", url_safe, "broker_url = 'redis://:{}@redis:6379/0'"),
    ("amqp url", url_safe, "[2025-01-04 12:00:01,123: INFO/MainProcess] Connected to amqp://guest:{}@mq:5672//"),
    ("git remote", generic, "origin\thttps://oauth2:{}@gitlab.com/group/project.git (fetch)"),
    ("git error", generic,
     "fatal: unable to access 'https://x-access-token:{}@github.com/a/b.git/': The requested URL 403"),
    ("git credentials", generic, "https://ann:{}@github.com"),
    ("git extraheader", b64, "http.https://github.com/.extraheader=AUTHORIZATION: basic {}"),
    ("netrc line", password, "machine api.heroku.com login ann@example.com password {}"),
    ("netrc block", password, "machine api.heroku.com\n  login ann@example.com\n  password {}\n"),
    ("pgpass", password, "*:5432:*:postgres:{}"),
    ("npmrc", generic, "//registry.example.com/:_authToken={}"),
    ("npmrc old", b64, "//npm.example.com/:_auth={}"),
    ("npmrc password", b64, "//npm.example.com/:_password={}"),
    ("pip index", generic,
     "Looking in indexes: https://aws:{}@d-1.d.codeartifact.eu-west-1.amazonaws.com/pypi/p/simple/"),
    ("pip conf", generic, "[global]\nindex-url = https://user:{}@pypi.example.com/simple"),
    ("pypirc", generic, "[pypi]\nusername = __token__\npassword = {}\n"),
    ("cargo", generic, '[registry]\ntoken = "{}"\n'),
    ("rubygems", generic, "---\n:rubygems_api_key: {}\n"),
    ("maven", password, "<server><id>nexus</id><username>ci</username><password>{}</password></server>"),
    ("nuget", password, '<add key="ClearTextPassword" value="{}" />'),
    ("composer", generic, '{{"http-basic": {{"repo.example.com": {{"username": "ci", "password": "{}"}}}}}}'),
    ("docker config", b64, '{{"auths": {{"https://index.docker.io/v1/": {{"auth": "{}"}}}}}}'),
    ("docker login", password, "docker login -u ci -p {} registry.example.com"),
    ("docker run", password, "docker run -d -e POSTGRES_PASSWORD={} -p 5432:5432 postgres:16"),
    ("docker inspect", password, '"Env": [\n  "PATH=/usr/bin",\n  "MYSQL_ROOT_PASSWORD={}"\n]'),
    ("dockerfile", generic, "Step 4/9 : ARG NPM_TOKEN={}\n ---> Running in 3f2a"),
    ("compose", password,
     "services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: {}\n      POSTGRES_USER: app\n"),
    ("compose list", password, "    environment:\n      - REDIS_PASSWORD={}\n      - REDIS_HOST=redis\n"),
    ("k8s secret", b64, "apiVersion: v1\nkind: Secret\ndata:\n  password: {}\ntype: Opaque\n"),
    ("k8s env", password, "        - name: DB_PASSWORD\n          value: {}\n"),
    ("k8s env json", password, '{{"env": [{{"name": "DB_PASSWORD", "value": "{}"}}]}}'),
    ("k8s describe", password, "    Environment:\n      DB_HOST:      db\n      DB_PASSWORD:  {}\n"),
    ("kubectl create", password, "kubectl create secret generic db --from-literal=password={}"),
    ("kubeconfig", generic, "users:\n- name: ci\n  user:\n    token: {}\n"),
    ("kubeconfig key", b64, "    client-key-data: {}"),
    ("helm set", password, "helm upgrade app ./chart --set postgresql.auth.password={} --wait"),
    ("terraform plan", password, '      + master_password = "{}"'),
    ("terraform var", password, 'variable "db_password" {{\n  default = "{}"\n}}'),
    ("tfvars", generic, 'api_token   = "{}"'),
    ("terraform rc", generic, 'credentials "app.terraform.io" {{\n  token = "{}"\n}}'),
    ("terraform output", password, 'db_password = "{}"\nendpoint = "db.internal"'),
    ("terraform arg", password, "terraform apply -var db_password={} -auto-approve"),
    ("ansible", password, "db01 ansible_host=10.0.0.4 ansible_user=root ansible_ssh_pass={}"),
    ("ansible become", password, "ansible_become_password: {}"),
    ("aws configure", b64, "[default]\naws_access_key_id = X\naws_secret_access_key = {}\nregion = eu-west-1\n"),
    ("aws export", b64, "export AWS_SECRET_ACCESS_KEY={}"),
    ("aws session export", b64, "export AWS_SESSION_TOKEN={}"),
    ("aws sts", b64, '{{"Credentials": {{"AccessKeyId": "X", "SecretAccessKey": "{}", "SessionToken": "Y"}}}}'),
    ("aws cli", b64, "aws configure set aws_secret_access_key {}"),
    ("gcloud adc", generic,
     '{{"client_id": "1.apps.googleusercontent.com", "client_secret": "{}", "type": "authorized_user"}}'),
    ("gcloud refresh", generic, '{{"refresh_token": "1//{}", "type": "authorized_user"}}'),
    ("az login", password, "az login --service-principal -u 7d0 -p {} --tenant example.com"),
    ("vault login", generic,
     "Key                  Value\n---                  -----\ntoken                {}\ntoken_accessor       x"),
    ("vault unseal", b64, "Unseal Key 1: {}\n"),
    ("vault root", generic, "Initial Root Token: {}\n"),
    ("vault kv", password, "======= Data =======\nKey         Value\n---         -----\npassword    {}\n"),
    ("doctl", generic, "doctl auth init --access-token {}"),
    ("gh auth", generic, "  - Token: {}"),
    ("heroku", generic, "=== app Config Vars\nSECRET_KEY_BASE:  {}\nRACK_ENV: production"),
    ("fly", generic, "fly secrets set SESSION_SECRET={}"),
    ("rails", generic, "production:\n  secret_key_base: {}\n"),
    ("django", password, "SECRET_KEY = 'django-insecure-{}'"),
    ("flask", generic, 'app.config["SECRET_KEY"] = "{}"'),
    ("laravel", b64, "APP_KEY=base64:{}"),
    ("wordpress", password, "define( 'DB_PASSWORD', '{}' );"),
    ("wordpress salt", password, "define('AUTH_KEY',         '{}');"),
    ("php pdo", password, "$pdo = new PDO('mysql:host=db', 'root', '{}');  # PDO password"),
    ("spring", password, "spring.datasource.password={}"),
    ("spring yaml", password, "spring:\n  datasource:\n    username: app\n    password: {}\n"),
    ("java", password, 'private static final String DB_PASSWORD = "{}";'),
    ("go", generic, 'const apiKey = "{}"'),
    ("go walrus", generic, 'apiSecret := "{}"'),
    ("rust", generic, 'let api_key: &str = "{}";'),
    ("typescript", generic, 'const clientSecret: string = "{}";'),
    ("js object", generic, "const c = {{ apiKey: '{}', region: 'eu' }};"),
    ("python kwargs", generic, "client = Client(api_key='{}', timeout=3)"),
    ("python repr", generic, "Settings(debug=False, api_key='{}', db=None)"),
    ("python dict", generic, "{{'user': 'ann', 'access_token': '{}', 'expires_in': 3600}}"),
    ("pydantic error", generic, "ValidationError: input_value={{'api_key': '{}'}}, input_type=dict"),
    ("ruby hash", generic, '{{:user=>"ann", :password=>"{}"}}'),
    ("ruby new hash", generic, 'Stripe.configure(api_key: "{}")'),
    ("perl", generic, "my %c = (user => 'a', password => '{}');"),
    ("elixir", generic, '%{{secret_key_base: "{}"}}'),
    ("logfmt", generic, 'level=info msg="login" user=ann token={} dur=3ms'),
    ("logfmt quoted", password, 'level=debug msg=connect password="{}"'),
    ("json log", generic, '{{"level":"info","msg":"auth","headers":{{"authorization":"Bearer {}"}}}}'),
    ("json log twice", generic, '{{"msg":"{{\\"client_secret\\":\\"{}\\"}}"}}'),
    ("nginx", generic, 'proxy_set_header Authorization "Bearer {}";'),
    ("nginx key", generic, "    proxy_set_header X-API-Key {};"),
    ("haproxy", password, "  user admin insecure-password {}"),
    ("redis conf", generic, "requirepass {}"),
    ("redis masterauth", generic, "masterauth {}"),
    ("redis cli", generic, "redis-cli -h cache -a {} ping"),
    ("mysql", password, "mysql -uroot -p{} app < dump.sql"),
    ("mysqldump", password, "mysqldump --user=root --password={} app"),
    ("my.cnf", password, "[client]\nuser=root\npassword={}\n"),
    ("create user", password, "CREATE USER 'app'@'%' IDENTIFIED BY '{}';"),
    ("alter role", password, "ALTER ROLE app WITH PASSWORD '{}';"),
    ("pgpassword", password, "PGPASSWORD={} psql -h db -U app"),
    ("sshpass", password, "sshpass -p {} ssh root@10.0.0.4"),
    ("openssl", password, "openssl enc -aes-256-cbc -in a -out b -pass pass:{}"),
    ("openssl in", password, "openssl rsa -in key.pem -passin pass:{}"),
    ("keytool", password, "keytool -list -keystore k.jks -storepass {}"),
    ("ldap", password, "ldapsearch -x -D cn=admin,dc=example -w {} -b dc=example"),
    ("smb", password, "smbclient //srv/share -U ann%{}"),
    ("wifi", password, 'network={{\n  ssid="home"\n  psk="{}"\n}}'),
    ("slack hook", letters(24), "https://hooks.slack.com/services/T01ABCD2EFG/B01ABCD2EFG/{}"),
    ("discord hook", letters(68), "https://discord.com/api/webhooks/123456789012345678/{}"),
    ("teams hook", hexes(32), "https://example.webhook.office.com/webhookb2/a@b/IncomingWebhook/{}/c"),
    ("telegram url", letters(33), "https://api.telegram.org/bot123456789:AA{}/getMe"),
    ("sentry dsn", hexes(32), "SENTRY_DSN=https://{}@o12345.ingest.sentry.io/67"),
    ("oauth form", generic, "grant_type=client_credentials&client_id=app&client_secret={}&scope=all"),
    ("oauth refresh", generic, "grant_type=refresh_token&refresh_token={}"),
    ("oauth response", generic, '{{"access_token":"{}","token_type":"Bearer","expires_in":3599}}'),
    ("otp url", lambda dice: some(dice,
     string.ascii_uppercase + "234567", 32), "otpauth://totp/App:ann?secret={}&issuer=App"),
    ("websocket", generic, "wss://stream.example.com/ws?api_key={}"),
    ("ci masked off", generic, "::add-mask::{}"),
    ("github env", generic, "  env:\n    NPM_TOKEN: {}\n    CI: true"),
    ("gitlab variable", generic, "$ export DEPLOY_TOKEN={}"),
    ("jenkins", generic, "withEnv(['SONAR_TOKEN={}']) {{ sh 'make' }}"),
    ("sonar", generic, "mvn sonar:sonar -Dsonar.login={}"),
    ("java property", password, "java -Ddb.password={} -jar app.jar"),
    ("keystore property", password, "-Djavax.net.ssl.keyStorePassword={}"),
    ("cli equals", generic, "deploy --api-token={} --region eu"),
    ("cli blank", generic, "deploy --client-secret {} --region eu"),
    ("env dump", generic, "HOME=/root\nLANG=C\nGITLAB_TOKEN={}\nPWD=/srv\n"),
    ("set -x", generic, "++ export 'API_KEY={}'"),
    ("powershell", generic, "$env:API_KEY = '{}'"),
    ("powershell secure", password, "ConvertTo-SecureString '{}' -AsPlainText -Force"),
    ("windows set", generic, "set API_KEY={}"),
    ("setx", generic, "setx OPENAI_API_KEY {}"),
    ("fish", generic, "set -gx GITHUB_TOKEN {}"),
    ("ini", password, "[smtp]\nhost = mail\nsmtp_pass = {}\n"),
    ("toml", generic, '[auth]\nclient_secret = "{}"\n'),
    ("env file", password, "DB_PASS='{}'"),
    ("markdown", generic, "| `API_KEY` | `{}` |"),
    ("prose password", password, "The password is {} and it expires tomorrow."),
    ("prose token", generic, "Use this API key: {}"),
    ("multipart", generic, 'Content-Disposition: form-data; name="api_key"\r\n\r\n{}\r\n--x'),
    ("soap", password, '<wsse:Password Type="#PasswordText">{}</wsse:Password>'),
    ("xml attribute", password, '<datasource user="sa" password="{}" url="jdbc:x"/>'),
    ("plist", generic, "<key>APIKey</key>\n<string>{}</string>"),
    ("graphql", password, 'mutation {{ login(user: "ann", password: "{}") {{ id }} }}'),
    ("form", password, "username=ann&password={}&remember=1"),
    ("digest", hexes(32), 'Authorization: Digest username="ann", realm="r", response="{}"'),
    ("aws sigv4", hexes(64), "Authorization: AWS4-HMAC-SHA256 Credential=X/20250101/eu/s3, Signature={}"),
    ("token header", generic, "Authorization: token {}"),
    ("gitlab header", generic, "PRIVATE-TOKEN: {}"),
    ("vault header", generic, "X-Vault-Token: {}"),
    ("header dump", generic, "[('host', 'x'), ('x-api-key', '{}'), ('accept', '*/*')]"),
    ("node headers", generic, "headers: {{ accept: '*/*', 'x-api-key': '{}' }}"),
    ("go header", generic, "map[Accept:[*/*] X-Api-Key:[{}]]"),
    ("nmcli", password, "nmcli dev wifi connect home password {}"),
    ("k6 options", generic, "API_TOKEN={} k6 run script.js"),
    ("expect", password, 'send "{}\\r"  # password'),
    ("chpasswd", password, "echo 'root:{}' | chpasswd"),
    ("htpasswd", password, "htpasswd -b .htpasswd ann {}"),
    ("useradd", password, "net user ann {} /add"),
    ("rsync", password, "RSYNC_PASSWORD={} rsync -a src/ dst/"),
    ("restic", password, "RESTIC_PASSWORD={} restic backup /srv"),
    ("ghcr stdin", generic, "echo {} | docker login ghcr.io -u ann --password-stdin"),
)  # fmt: skip


def jwt(dice: random.Random) -> str:
    """Header, claims and signature as the libraries write them."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "HS256"}, {"sub": dice.random()})]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), some(dice, ALNUM, 43)])


def wild_secrets(seed: int = 11, rounds: int = 3) -> Iterator[Case]:
    """Each format some times with other values."""
    dice = random.Random(seed)
    for _ in range(rounds):
        for kind, make, line in LINES:
            secret = make(dice)
            yield Case(f"wild {kind}", "wild", line.format(secret), secret)
        token = jwt(dice)
        yield Case("wild jwt in a log", "wild", f"DEBUG auth: got id {token} from idp", token)
        pair = base64.b64encode(f"ann:{generic(dice)}".encode()).decode()
        yield Case("wild basic of a pair", "wild", f"> Authorization: Basic {pair}", pair)
