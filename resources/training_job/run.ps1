# The training run of this folder: begins, or goes on from its last checkpoint. README.md says more.
#   -SetupOnly         makes the training environment, and does not train
#   $env:KOTAE_PYTHON  a Python that has the training environment; without it one is made in .\environment
#   $env:KOTAE_TORCH   cuda (as it is), or cpu
# This file begins with a byte order mark: without it Windows PowerShell 5.1 reads Japanese as another encoding.
param([switch]$SetupOnly)
$ErrorActionPreference = "Stop"
Set-Location -LiteralPath $PSScriptRoot
$language = if ((Get-UICulture).Name -like "ja*") { "ja" } else { "en" }

function Say([string]$japanese, [string]$english) {
    if ($language -eq "ja") { Write-Host $japanese } else { Write-Host $english }
}

# The first file of a list that is missing or another one; nothing where all are as they were.
function Find-Differing([string]$list) {
    foreach ($line in Get-Content -LiteralPath $list -Encoding UTF8) {
        $wanted, $file = $line -split "  ", 2
        if (-not (Test-Path -LiteralPath $file)) { return $file }
        if ((Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash -ne $wanted) { return $file }
    }
}

# The command of a Python 3.11 to 3.13: of the launcher's, or the one on the path.
function Find-Python {
    $ErrorActionPreference = "Continue" # with Stop, what a program writes to a redirected stderr is an error
    foreach ($command in @("py", "-3.13"), @("py", "-3.12"), @("py", "-3.11"), @("python", "-I")) {
        if (Get-Command $command[0] -ErrorAction SilentlyContinue) {
            & $command[0] $command[1] -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" 2>$null
            if ($LASTEXITCODE -eq 0) { return $command }
        }
    }
}

$file = Find-Differing "SHA256SUMS"
if ($file) {
    Say "$file が、フォルダを作ったときと違います。元の PC のフォルダから、もう一度コピーしてください。" `
        "$file is not what it was when the folder was made. Copy it once more from the computer where it was made."
    exit 3
}
$file = if (-not $SetupOnly) { Find-Differing "base.sha256" }
if ($file) {
    Say "元のモデルのファイル $file がないか、別のものです。README.md の 2 のファイルを base フォルダに置いてください。" `
        "The base model's file $file is missing, or is another one. Put the files of step 2 in README.md into the folder base."
    exit 3
}

$python = $env:KOTAE_PYTHON
if (-not $python) {
    $python = Join-Path $PSScriptRoot "environment\Scripts\python.exe"
    if (-not (Test-Path -LiteralPath "environment\ready")) {
        $from = Find-Python
        if (-not $from) {
            Say "Python 3.11〜3.13 が見つかりません。python.org の 3.13 を入れて、もう一度実行してください。" `
                "No Python 3.11 to 3.13 was found. Install 3.13 from python.org, and run this again."
            exit 3
        }
        & $from[0] $from[1] -m venv environment
        if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
        $torch = if ($env:KOTAE_TORCH) { $env:KOTAE_TORCH } else { "cuda" }
        $version = & $python -c "import sys; print('py%d%d' % sys.version_info[:2])"
        $lock = "locked\$torch-win32-x86_64-$version.txt"
        $parts = @("--requirement", "requirements.txt")
        if (Test-Path -LiteralPath $lock) { $parts = @("--require-hashes", "--no-deps", "--requirement", $lock) }
        # On Windows the torch of PyPI cannot use a graphics card; PyTorch's own index has the one that can.
        if ($torch -ne "cpu") { $parts += @("--extra-index-url", "https://download.pytorch.org/whl/cu130") }
        & $python -I -X utf8 watch.py $language setup $python -m pip install --only-binary ":all:" --no-input `
            --progress-bar off @parts
        if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
        New-Item "environment\ready" -ItemType File | Out-Null
    }
}
if ($SetupOnly) {
    Say "学習環境の用意ができました。" "The training environment is ready."
    exit 0
}

$resume = @()
if (Test-Path "run\checkpoints\checkpoint-*") { $resume = @("--resume") }
& $python -I -X utf8 watch.py $language train `
    $python -I -X utf8 trainer\start.py trainer run.json --commands @resume
exit $LASTEXITCODE
