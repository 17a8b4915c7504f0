# Kotae for Windows, from a clone to an installer:  powershell -ExecutionPolicy Bypass -File packaging\windows\build.ps1
#
# NEVER RUN SO FAR: written without a Windows machine. The first run will find mistakes.
#
# Needs: Windows 10 or 11 on x64; Python 3.11 or newer from python.org; Visual Studio Build Tools 2022 with "Desktop
# development with C++"; Inno Setup 6.3 or newer. No administrator's rights once these are there.
# Steps: 1. MSVC's environment; 2. `dev.py bundle`, which makes .venv-bundle, compiles llama-cpp-python for all
# generations of processors and runs PyInstaller; 3. signing the programs; 4. Inno Setup; 5. sums.
#
# Signing: with KOTAE_SIGN_THUMBPRINT set to the thumbprint of a code signing certificate in the user's store (or on a
# token), the programs, the installer and its uninstaller are signed. Without it Windows warns of an unknown publisher.

param([string] $Python = 'python')

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
$Root = (Resolve-Path (Join-Path $PSScriptRoot '..\..')).Path
Set-Location $Root

function Invoke-Step([string] $Program, [string[]] $Arguments) {
    & $Program @Arguments
    if ($LASTEXITCODE -ne 0) { throw "$Program ended with $LASTEXITCODE" }
}

function Find-Program([string] $Name, [string[]] $Places) {
    $found = Get-Command $Name -ErrorAction SilentlyContinue
    if ($found) { return $found.Source }
    foreach ($place in $Places) {
        $match = Get-ChildItem $place -ErrorAction SilentlyContinue | Sort-Object FullName | Select-Object -Last 1
        if ($match) { return $match.FullName }
    }
    throw "$Name was not found. Install it and run this again."
}

# 1. cl, and all that it needs, in this process's environment.
$vswhere = Find-Program 'vswhere' @("${env:ProgramFiles(x86)}\Microsoft Visual Studio\Installer\vswhere.exe")
$studio = & $vswhere -latest -products * -requires Microsoft.VisualStudio.Component.VC.Tools.x86.x64 -property installationPath
if (-not $studio) { throw 'No C++ compiler: install Visual Studio Build Tools 2022 with "Desktop development with C++".' }
cmd /c "`"$studio\VC\Auxiliary\Build\vcvars64.bat`" >nul && set" | ForEach-Object {
    if ($_ -match '^([^=]+)=(.*)$') { Set-Item "env:$($Matches[1])" $Matches[2] }
}
$env:CC = 'cl'   # dev.py asks for these before it compiles, and CMake takes them
$env:CXX = 'cl'
$env:PYTHONUTF8 = '1'

# 2. dist\Kotae
Invoke-Step $Python @('packaging\dev.py', 'bundle', '--folder-only')
if (-not (Test-Path 'dist\Kotae\Kotae.exe')) { throw 'dist\Kotae\Kotae.exe was not made.' }
Invoke-Step 'dist\Kotae\kotae-cli.exe' @('--version')

# 3. Our own programs; libraries keep the signatures of those who made them.
$signing = @()
if ($env:KOTAE_SIGN_THUMBPRINT) {
    $signtool = Find-Program 'signtool' @("${env:ProgramFiles(x86)}\Windows Kits\10\bin\*\x64\signtool.exe")
    $how = @('sign', '/fd', 'SHA256', '/td', 'SHA256', '/tr', 'http://timestamp.digicert.com', '/sha1', $env:KOTAE_SIGN_THUMBPRINT)
    Invoke-Step $signtool ($how + @('dist\Kotae\Kotae.exe', 'dist\Kotae\kotae-cli.exe'))
    # Inno Setup puts a quotation mark for $q and the file for $f.
    $signing = @('/DSign', ('/Skotae=$q{0}$q {1} $f' -f $signtool, ($how -join ' ')))
}

# 4. dist\kotae-VERSION-windows-x86_64.exe
$version = (Select-String -Path 'app\__init__.py' -Pattern '^__version__ = "(.+)"').Matches[0].Groups[1].Value
$icon = Join-Path $Root 'build\bundle\kotae.ico'  # made for the programs
$iscc = Find-Program 'iscc' @("${env:ProgramFiles(x86)}\Inno Setup 6\ISCC.exe", "$env:LOCALAPPDATA\Programs\Inno Setup 6\ISCC.exe")
Invoke-Step $iscc (@("/DVersion=$version", "/DIcon=$icon") + $signing + @('packaging\windows\kotae.iss'))

# 5.
$installer = "dist\kotae-$version-windows-x86_64.exe"
$sum = (Get-FileHash $installer -Algorithm SHA256).Hash.ToLowerInvariant()
[IO.File]::WriteAllText((Join-Path $Root 'dist\SHA256SUMS'), "$sum  $(Split-Path $installer -Leaf)`n")
Write-Output $installer
